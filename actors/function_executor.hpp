// Runs functions of this program as tasks, for applications that embed a worker: one registered function for a kind.
#pragma once
#include "actors/executor.hpp"
#include "actors/run_threads.hpp"

#include <stop_token>

namespace taskmaster {

/// Called on a thread of the executor. `stop` is requested by a cancel and by the task's timeout; look at it in long work. What
/// throws has failed with code "exception".
using task_function = std::function<execution_result(const execution&, std::stop_token stop)>;

class function_executor : public executor {
public:
  /// At most `threads` runs at a time; give it as many as the worker has slots.
  function_executor(task_function function, std::size_t threads);

  void start(execution what, done_callback done) override;
  /// A function cannot be interrupted: the run ends when it returns. If it was asked to stop it counts as cancelled, or as timed out,
  /// unless it says that it succeeded before it noticed.
  void cancel(std::uint64_t run) override;
  void stop() override;

private:
  const task_function function_;
  run_threads threads_;
};

} // namespace taskmaster
