// One call of a client over gRPC's callback API: ended exactly once, by its answer, by its deadline, when its client gives up, or when the
// server goes. Used by the services for clients; any thread.
#pragma once
#include "gateway/grpc_status.hpp"
#include "gateway/task_service.hpp"

#include <algorithm>
#include <grpcpp/grpcpp.h>
#include <mutex>
#include <spdlog/spdlog.h>

namespace taskmaster::rpc {

using context = grpc::CallbackServerContext;
using reactor = grpc::ServerUnaryReactor;

/// One call: shared by its reactor and by the callback that answers it, which may outlive the reactor. Whoever comes first ends it.
class call {
public:
  call(context* ctx, reactor* rx) : deadline_(ctx->deadline()), context_(ctx), reactor_(rx) {}

  /// When the client stops waiting; far away when it did not say. Kept, since the context goes with the call.
  std::chrono::system_clock::time_point deadline() const { return deadline_; }

  /// `fill` writes the response; request and response are gone once the call has ended, so it runs only if it has not.
  template <class Fill>
  void succeed(Fill fill) {
    std::lock_guard lock(mutex_);
    if (!reactor_) return;
    fill();
    std::exchange(reactor_, nullptr)->Finish(grpc::Status::OK);
  }

  void fail(const error& e) {
    std::lock_guard lock(mutex_);
    if (!reactor_) return;
    for (const auto& [name, value] : grpc_trailers(e)) context_->AddTrailingMetadata(name, value);
    if (e.code == ec::internal) {
      spdlog::error("grpc: {}", e.message); // the client is told only that it was us
      std::exchange(reactor_, nullptr)->Finish(grpc_status(error(ec::internal, "Something went wrong inside the service; its log says what.")));
    } else {
      std::exchange(reactor_, nullptr)->Finish(grpc_status(e));
    }
  }

  /// The client has given up, or the server shuts down.
  void abandon() {
    std::lock_guard lock(mutex_);
    if (reactor_) std::exchange(reactor_, nullptr)->Finish(grpc::Status::CANCELLED);
  }

private:
  const std::chrono::system_clock::time_point deadline_;
  std::mutex mutex_;
  context* const context_;
  reactor* reactor_; // null: ended
};
using call_ptr = std::shared_ptr<call>;

/// gRPC's side of a call.
class call_reactor final : public reactor {
public:
  explicit call_reactor(context* ctx) : call_(std::make_shared<call>(ctx, this)) {}
  const call_ptr& shared() const { return call_; }

private:
  void OnCancel() override { call_->abandon(); }
  void OnDone() override { delete this; }
  call_ptr call_;
};

inline expected<uuid> read_id(const std::string& text) {
  if (const auto id = uuid::parse(text)) return *id;
  return error(ec::invalid_argument, "The id is none; ids look like 01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1.", {{"/id", "has to be a UUID of 36 characters"}});
}

/// What a call may take: what its client gives it, within our own limits.
inline duration time_left(const call& c, const task_service_options& options) {
  const auto left = c.deadline() - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24 * 365)) return options.deadline;
  return std::clamp(std::chrono::duration_cast<duration>(left), duration{0}, options.longest);
}

/// Makes the call and runs it; what a library throws becomes its answer.
template <class Body>
reactor* guarded(context* ctx, Body body) {
  auto* rx = new call_reactor(ctx);
  const call_ptr c = rx->shared(); // the reactor may be gone when `body` returns
  try {
    body(c);
  } catch (const std::exception& e) {
    c->fail(error(ec::internal, e.what()));
  }
  return rx;
}

} // namespace taskmaster::rpc
