#include "actors/run_threads.hpp"

#include "actors/outcomes.hpp"
#include "actors/quiet_thread.hpp"

#include <algorithm>

namespace taskmaster {

struct run_threads::job {
  std::uint64_t run = 0;
  duration timeout{0};
  std::optional<steady::time_point> deadline;
  work_function work;
  executor::done_callback done;
  std::stop_source source;
  std::shared_ptr<std::atomic<stop_reason>> reason = std::make_shared<std::atomic<stop_reason>>(stop_reason::none);
};

run_threads::run_threads(std::size_t threads) : most_(std::max<std::size_t>(threads, 1)) {
  timer_ = quiet_thread([this] { keep_time(); });
}

run_threads::~run_threads() { stop(); }

void run_threads::start(std::uint64_t run, duration timeout, work_function work, executor::done_callback done) {
  auto what = std::make_shared<job>();
  what->run = run;
  what->timeout = timeout;
  what->work = std::move(work);
  what->done = std::move(done);
  std::unique_lock lock(mutex_);
  if (stopping_) {
    lock.unlock();
    return what->done(cancelled_run());
  }
  if (timeout > duration::zero()) {
    what->deadline = steady::now() + timeout;
    deadlines_.emplace(*what->deadline, run);
    deadline_changed_.notify_one();
  }
  jobs_[run] = what;
  queue_.push_back(std::move(what));
  if (queue_.size() > idle_ && threads_.size() < most_)
    threads_.push_back(quiet_thread([this] { serve(); }));
  else
    work_to_do_.notify_one();
}

void run_threads::cancel(std::uint64_t run) {
  std::unique_lock lock(mutex_);
  const auto i = jobs_.find(run);
  if (i == jobs_.end()) return;
  const auto what = i->second;
  lock.unlock();
  end(what, stop_reason::cancelled);
}

void run_threads::stop() {
  std::vector<job_ptr> all;
  std::vector<std::thread> threads;
  std::thread timer;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [run, what] : jobs_) all.push_back(what);
    threads.swap(threads_);
    timer.swap(timer_);
    work_to_do_.notify_all();
    deadline_changed_.notify_all();
  }
  for (const auto& what : all) end(what, stop_reason::cancelled);
  for (auto& thread : threads) thread.join();
  if (timer.joinable()) timer.join();
}

// The first reason stays. A run that still queues ends here; one under way is asked to.
void run_threads::end(const job_ptr& what, stop_reason why) {
  auto none = stop_reason::none;
  what->reason->compare_exchange_strong(none, why);
  std::unique_lock lock(mutex_);
  const auto queued = std::find(queue_.begin(), queue_.end(), what);
  if (queued == queue_.end()) {
    lock.unlock();
    what->source.request_stop();
    return;
  }
  queue_.erase(queued);
  jobs_.erase(what->run);
  if (what->deadline) deadlines_.erase({*what->deadline, what->run});
  lock.unlock();
  what->done(why == stop_reason::timeout ? timed_out(what->timeout) : cancelled_run());
}

void run_threads::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    work_to_do_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    const auto what = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    execution_result result;
    try {
      result = what->work({what->source.get_token(), what->reason});
    } catch (const std::exception& e) {
      result = failed_with("exception", e.what());
    } catch (...) {
      result = failed_with("exception", "the function threw something that is no std::exception");
    }
    lock.lock();
    jobs_.erase(what->run);
    if (what->deadline) deadlines_.erase({*what->deadline, what->run});
    lock.unlock();
    what->done(std::move(result));
    lock.lock();
  }
}

void run_threads::keep_time() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (deadlines_.empty()) {
      deadline_changed_.wait(lock);
      continue;
    }
    const auto [when, run] = *deadlines_.begin();
    if (steady::now() < when) {
      deadline_changed_.wait_until(lock, when);
      continue;
    }
    deadlines_.erase(deadlines_.begin());
    const auto i = jobs_.find(run);
    if (i == jobs_.end()) continue;
    const auto what = i->second;
    lock.unlock();
    end(what, stop_reason::timeout);
    lock.lock();
  }
}

} // namespace taskmaster
