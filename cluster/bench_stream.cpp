#include "cluster/bench_stream.hpp"

#include "taskmaster/v1/task.grpc.pb.h"

#include <algorithm>
#include <condition_variable>
#include <grpcpp/grpcpp.h>
#include <mutex>
#include <thread>

namespace taskmaster {

using namespace std::chrono_literals;

class bench_stream::calls {
public:
  static constexpr std::size_t rows = 250;

  explicit calls(const std::string& address) : stub_(v1::TaskService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    for (std::size_t i = 0; i < rows; ++i) {
      auto& one = *request_.add_tasks();
      one.set_kind("noop");
      one.set_payload("\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
    }
  }

  void begin() {
    struct call {
      grpc::ClientContext context;
      v1::SubmitBatchResponse response;
    };
    auto c = std::make_shared<call>();
    c->context.set_deadline(std::chrono::system_clock::now() + 30s);
    {
      std::lock_guard lock(mutex_);
      ++open_;
      sent_ += rows;
    }
    stub_->async()->SubmitBatch(&c->context, &request_, &c->response, [this, c](const grpc::Status& status) {
      std::lock_guard lock(mutex_);
      --open_;
      if (!status.ok()) fault_ = status.error_message();
      changed_.notify_all();
    });
  }

  /// Waits until a call may begin or the time is over.
  bool may_begin(std::size_t finished, std::size_t depth, std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    if (!fault_.empty()) throw bench_stop("the service refuses: " + fault_);
    const auto deep = sent_ - std::min(sent_, finished);
    deepest = std::max(deepest, deep);
    if (deep + rows > depth) return false;
    changed_.wait_until(lock, until, [this] { return open_ < 4; });
    return open_ < 4;
  }
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_ == 0; });
  }
  std::size_t sent() {
    std::lock_guard lock(mutex_);
    return sent_;
  }
  std::size_t deepest = 0;

private:
  std::unique_ptr<v1::TaskService::Stub> stub_;
  v1::SubmitBatchRequest request_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0, sent_ = 0;
  std::string fault_;
};

bench_stream::bench_stream(bench_world& world, std::size_t depth) : world_(world), depth_(depth), calls_(std::make_shared<calls>(world.grpc())) {}
bench_stream::~bench_stream() { calls_->wait_for_all(); }
std::size_t bench_stream::deepest() const { return calls_->deepest; }

double bench_stream::run(std::chrono::milliseconds time, const std::function<void(double)>& progress) {
  const auto before = world_.recorded();
  const auto begun = std::chrono::steady_clock::now(), end = begun + time;
  auto finished = before;
  auto asked = begun, told = begun;
  for (auto now = begun; now < end; now = std::chrono::steady_clock::now()) {
    go_on();
    if (now - asked > 10ms) {
      asked = now;
      finished = world_.recorded();
    }
    if (now - told > 100ms) {
      told = now;
      progress(std::chrono::duration<double>(now - begun) / time);
    }
    if (calls_->may_begin(static_cast<std::size_t>(finished), depth_, std::min(end, now + 10ms))) calls_->begin();
    else std::this_thread::sleep_for(1ms);
  }
  const auto rate = (world_.recorded() - before) / std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  calls_->wait_for_all();
  world_.wait_recorded(static_cast<double>(calls_->sent()));
  return rate;
}

} // namespace taskmaster
