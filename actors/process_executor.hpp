// Runs tasks of kind `shell` as child processes, each in a process group of its own. One thread of its own starts, feeds, reads and
// reaps them all (epoll over pidfds and pipes): measured, more threads start no more processes on two cores.
#pragma once
#include "actors/executor.hpp"
#include "actors/process_guardian.hpp"

#include <memory>
#include <set>

namespace taskmaster {

struct process_executor_options {
  /// From TERM to KILL, for timeouts and cancels.
  duration stop_grace = std::chrono::seconds(5);
  /// How long to read on after a command has ended, when somebody who left its process group still holds its output.
  duration drain_grace = std::chrono::milliseconds(500);
  /// Without one, what a command has started survives the worker's own sudden death.
  std::shared_ptr<process_guardian> guardian;
  /// Variables of the worker that its tasks are not to see, such as those with secrets.
  std::set<std::string> withheld;
};

class process_executor : public executor {
public:
  /// Starts the thread. Throws std::system_error when the process is out of descriptors or threads.
  explicit process_executor(process_executor_options options = {});
  ~process_executor() override; // stop()

  void start(execution what, done_callback done) override;
  void cancel(std::uint64_t run) override;
  /// KILL to every group; waits until all are gone, two seconds at most. A start after it is answered as cancelled.
  void stop() override;

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

} // namespace taskmaster
