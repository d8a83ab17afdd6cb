#include "cluster/bench_load.hpp"
#include "cluster/bench_world.hpp"

#include "taskmaster/v1/task.grpc.pb.h"

#include <condition_variable>
#include <grpcpp/grpcpp.h>
#include <mutex>
#include <thread>

namespace taskmaster {
namespace {

using clock = std::chrono::steady_clock;

v1::TaskSpec spec() {
  v1::TaskSpec one;
  one.set_kind("noop");
  one.set_payload("\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
  one.mutable_delay()->set_seconds(3'600);
  return one;
}

/// A call that begins again when it is answered, until the time is over.
template <class Request, class Response>
class load {
public:
  using method = void (v1::TaskService::Stub::async_interface::*)(grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>);
  load(const std::string& address, method m, Request request)
      : stub_(v1::TaskService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))), method_(m), request_(std::move(request)) {}

  load_result run(std::size_t in_flight, std::chrono::milliseconds time) {
    calls_.resize(in_flight);
    const auto begun = clock::now();
    end_ = begun + time;
    open_ = in_flight;
    for (auto& c : calls_) begin(c);
    std::unique_lock lock(mutex_);
    over_.wait(lock, [&] { return open_ == 0; });
    lock.unlock();
    go_on();
    if (!fault_.empty() && result_.milliseconds.empty()) throw bench_stop("the service refuses: " + fault_);
    result_.per_s = static_cast<double>(result_.milliseconds.size()) / std::chrono::duration<double>(clock::now() - begun).count();
    return std::move(result_);
  }

private:
  struct call {
    std::unique_ptr<grpc::ClientContext> context;
    Response response;
    clock::time_point begun;
  };

  void begin(call& c) {
    c.context = std::make_unique<grpc::ClientContext>();
    c.context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    c.response.Clear();
    c.begun = clock::now();
    (stub_->async()->*method_)(c.context.get(), &request_, &c.response, [this, &c](const grpc::Status& s) { ended(c, s); });
  }

  void ended(call& c, const grpc::Status& status) {
    const auto now = clock::now();
    {
      std::lock_guard lock(mutex_);
      if (status.ok()) {
        result_.milliseconds.push_back(std::chrono::duration<double, std::milli>(now - c.begun).count());
      } else {
        ++result_.failed;
        fault_ = status.error_message();
      }
      if (now >= end_ || interrupted() || result_.failed > 1'000) {
        if (--open_ == 0) over_.notify_one();
        return;
      }
    }
    begin(c);
  }

  std::unique_ptr<v1::TaskService::Stub> stub_;
  const method method_;
  const Request request_;
  std::vector<call> calls_;
  clock::time_point end_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::size_t open_ = 0;
  load_result result_;
  std::string fault_;
};

using async = v1::TaskService::Stub::async_interface;

} // namespace

load_result grpc_single_load(const std::string& address, std::size_t in_flight, std::chrono::milliseconds time) {
  v1::SubmitRequest request;
  *request.mutable_task() = spec();
  return load<v1::SubmitRequest, v1::SubmitResponse>(address, &async::Submit, std::move(request)).run(in_flight, time);
}

load_result grpc_batch_load(const std::string& address, std::size_t in_flight, std::chrono::milliseconds time) {
  v1::SubmitBatchRequest request;
  for (int i = 0; i < 1'000; ++i) *request.add_tasks() = spec();
  return load<v1::SubmitBatchRequest, v1::SubmitBatchResponse>(address, &async::SubmitBatch, std::move(request)).run(in_flight, time);
}

// -- one after the other -----------------------------------------------------------------------------------------------

struct grpc_one::parts {
  std::unique_ptr<v1::TaskService::Stub> stub;
};

namespace {

void write_due(v1::TaskSpec& out, timestamp at) {
  const auto us = at.time_since_epoch().count();
  out.mutable_run_at()->set_seconds(us / 1'000'000);
  out.mutable_run_at()->set_nanos(static_cast<std::int32_t>(us % 1'000'000 * 1'000));
}

void good(const grpc::Status& status) {
  if (!status.ok()) throw bench_stop("the service refuses: " + status.error_message());
}

} // namespace

grpc_one::grpc_one(const std::string& address)
    : parts_(new parts{v1::TaskService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))}) {}
grpc_one::~grpc_one() = default;

void grpc_one::submit(const std::string& kind, const std::string& payload, std::optional<timestamp> run_at) {
  go_on();
  grpc::ClientContext context;
  v1::SubmitRequest request;
  v1::SubmitResponse response;
  request.mutable_task()->set_kind(kind);
  request.mutable_task()->set_payload(payload);
  if (run_at) write_due(*request.mutable_task(), *run_at);
  good(parts_->stub->Submit(&context, request, &response));
}

void grpc_one::submit_all(const std::string& kind, const std::vector<timestamp>& run_at) {
  constexpr std::size_t portion = 1'000;
  for (std::size_t begin = 0; begin < run_at.size(); begin += portion) {
    go_on();
    grpc::ClientContext context;
    v1::SubmitBatchRequest request;
    v1::SubmitBatchResponse response;
    for (std::size_t i = begin; i < std::min(run_at.size(), begin + portion); ++i) {
      auto& one = *request.add_tasks();
      one.set_kind(kind);
      one.set_payload(std::to_string(run_at[i].time_since_epoch().count()));
      write_due(one, run_at[i]);
    }
    good(parts_->stub->SubmitBatch(&context, request, &response));
    for (const auto& r : response.results())
      if (r.id().empty()) throw bench_stop("the service refuses: " + r.error().message());
  }
}

} // namespace taskmaster
