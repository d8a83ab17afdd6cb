#include "actors/function_executor.hpp"

#include "actors/outcomes.hpp"

namespace taskmaster {

function_executor::function_executor(task_function function, std::size_t threads)
    : function_(std::move(function)), threads_(threads) {}

void function_executor::start(execution what, done_callback done) {
  const auto run = what.run;
  const auto timeout = what.timeout;
  threads_.start(
      run, timeout,
      [this, what = std::move(what)](const run_threads::stop_signal& signal) {
        auto result = function_(what, signal.token);
        const auto reason = signal.reason->load();
        if (result.outcome == run_outcome::succeeded || reason == run_threads::stop_reason::none) return result;
        auto stopped = reason == run_threads::stop_reason::timeout ? timed_out(what.timeout) : cancelled_run();
        stopped.result = std::move(result.result);
        return stopped;
      },
      std::move(done));
}

void function_executor::cancel(std::uint64_t run) { threads_.cancel(run); }
void function_executor::stop() { threads_.stop(); }

} // namespace taskmaster
