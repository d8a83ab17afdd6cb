#include "cluster/bench_probe.hpp"

#include "gateway/session_client.hpp"

#include <condition_variable>
#include <mutex>

namespace taskmaster {

class bench_probe::clock_reader final : public executor {
public:
  void start(execution what, done_callback done) override {
    const auto now = std::chrono::system_clock::now();
    {
      std::lock_guard lock(mutex_);
      starts_.push_back({now, what.task, what.payload ? *what.payload : ""});
    }
    some_.notify_one();
    done({});
  }
  void cancel(std::uint64_t) override {}
  void stop() override {}

  std::vector<probed_start> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(starts_, {});
  }
  bool wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return some_.wait_for(lock, limit, [this] { return !starts_.empty(); });
  }

private:
  std::mutex mutex_;
  std::condition_variable some_;
  std::vector<probed_start> starts_;
};

bench_probe::bench_probe(const std::string& coordinator, std::size_t sessions, int slots)
    : system_(config_), reader_(std::make_shared<clock_reader>()), executors_{{"probe", reader_}}, dialer_(make_session_dialer()) {
  for (std::size_t i = 0; i < sessions; ++i) {
    worker_config c;
    c.name = "probe-" + std::to_string(i);
    c.incarnation = uuid::make(std::chrono::floor<duration>(std::chrono::system_clock::now())).str();
    c.coordinators = {coordinator};
    c.kinds = {"noop", "probe"};
    c.hold.slots = slots;
    c.seed = i;
    pools_.push_back(system_.spawn(executor_pool, executors_));
    workers_.push_back(system_.spawn(worker, std::move(c), dialer_, pools_.back()));
  }
}

bench_probe::~bench_probe() {
  for (auto& w : workers_) caf::anon_send(w, stop_atom::value);
  for (auto& p : pools_) caf::anon_send(p, stop_atom::value);
  workers_.clear();
  pools_.clear();
  dialer_->stop();
}

std::vector<probed_start> bench_probe::take() { return reader_->take(); }
bool bench_probe::wait(std::chrono::milliseconds limit) { return reader_->wait(limit); }

} // namespace taskmaster
