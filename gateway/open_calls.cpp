#include "gateway/open_calls.hpp"

#include <spdlog/spdlog.h>

namespace taskmaster {

void open_calls::enter(grpc::ClientContext& call) {
  std::lock_guard lock(mutex_);
  calls_.insert(&call);
  if (closed_) call.TryCancel(); // remembered by a context whose call has not started
}

void open_calls::leave(grpc::ClientContext& call) {
  std::lock_guard lock(mutex_);
  calls_.erase(&call);
  left_.notify_all();
}

void open_calls::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (auto* call : calls_) call->TryCancel();
  if (!left_.wait_for(lock, std::chrono::seconds(5), [this] { return calls_.empty(); }))
    spdlog::warn("{} gRPC calls did not end within 5 s of their cancellation", calls_.size());
}

} // namespace taskmaster
