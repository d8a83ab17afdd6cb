// Threads for runs that block: HTTP calls and functions of this program. At most as many as said, started as needed; further runs
// queue. Each run can be asked to stop, by cancel() or by its timeout; it ends when its work returns.
#pragma once
#include "actors/executor.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>
#include <unordered_map>

namespace taskmaster {

class run_threads {
public:
  enum class stop_reason : std::uint8_t { none, cancelled, timeout };

  /// How a run learns that it is to stop. Callbacks on `token` run on the asking thread and must not block.
  struct stop_signal {
    std::stop_token token;
    std::shared_ptr<const std::atomic<stop_reason>> reason;
  };
  using work_function = std::function<execution_result(const stop_signal&)>;

  explicit run_threads(std::size_t threads);
  ~run_threads(); // stop()

  /// `timeout` counts from now, queueing included; zero is none. `done` is called exactly once, on a thread of this object or (when
  /// the run never began) on the one that stopped it. Work that throws has failed with code "exception".
  void start(std::uint64_t run, duration timeout, work_function work, executor::done_callback done);
  /// Takes a run from the queue, or asks it to stop.
  void cancel(std::uint64_t run);
  /// Cancels all and waits for the threads, so for the work under way. A start after it is answered as cancelled.
  void stop();

private:
  using steady = std::chrono::steady_clock;
  struct job;
  using job_ptr = std::shared_ptr<job>;

  void serve();
  void keep_time();
  void end(const job_ptr& what, stop_reason why);

  const std::size_t most_;
  std::mutex mutex_; // guards all below
  std::condition_variable work_to_do_, deadline_changed_;
  std::deque<job_ptr> queue_;
  std::unordered_map<std::uint64_t, job_ptr> jobs_; // queued or running
  std::set<std::pair<steady::time_point, std::uint64_t>> deadlines_;
  std::vector<std::thread> threads_;
  std::thread timer_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

} // namespace taskmaster
