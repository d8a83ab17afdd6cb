#include "gateway/session_service.hpp"

#include "gateway/session_proto.hpp"
#include "taskmaster/v1/worker.grpc.pb.h"

#include <deque>
#include <mutex>

namespace taskmaster {
namespace {

using reactor = grpc::ServerBidiReactor<v1::FromWorker, v1::ToWorker>;

// What is queued for one worker. It is bounded by its credit anyway; a worker that does not read at all ends here.
constexpr std::size_t queue_messages = 10'000;
constexpr std::size_t queue_bytes = 64u << 20;
// One message's share of tasks and bytes: far below gRPC's 4 MB default limit of the other side.
constexpr std::size_t assign_tasks = 256;
constexpr std::size_t assign_bytes = 1u << 20;
// Messages read and not yet dealt with; then reading pauses and a flood waits in the worker's socket.
constexpr int unread_most = 64;

/// Shared by the reactor (gRPC's threads) and the proxy; the reactor pointer is only valid under the lock and while set.
class stream_link final : public worker_link, public std::enable_shared_from_this<stream_link> {
public:
  stream_link(reactor* r, std::string peer) : reactor_(r), peer_(std::move(peer)) {}

  bool push(to_worker message) override {
    if (auto* a = std::get_if<assign>(&message); a && a->tasks.size() > 1) return push_in_parts(std::move(a->tasks));
    return push_one(write(message));
  }

  void close(std::string reason) override { finish(grpc::Status(grpc::StatusCode::ABORTED, reason)); }
  std::string peer() const override { return peer_; }

  void consumed() override {
    std::lock_guard lock(mutex_);
    if (--unread_ == unread_most - 1 && paused_ && reactor_ && !finishing_) {
      paused_ = false;
      reactor_->StartRead(&incoming_);
    }
  }

  /// Called by the reactor with a message that was read and passed on: true when the next read may start now.
  bool read_one() {
    std::lock_guard lock(mutex_);
    paused_ = ++unread_ >= unread_most;
    return !paused_;
  }
  void start_read() {
    std::lock_guard lock(mutex_);
    if (reactor_ && !finishing_) reactor_->StartRead(&incoming_);
  }
  v1::FromWorker& incoming() { return incoming_; }

  void written(bool ok) {
    std::lock_guard lock(mutex_);
    bytes_ -= queue_.front().ByteSizeLong();
    queue_.pop_front();
    if (!ok) queue_.clear();
    if (queue_.empty() || !reactor_) {
      writing_ = false;
      if (finishing_ && !finished_ && reactor_) finish_now();
      return;
    }
    write_front();
  }

  /// What is queued (a refusal, the last acknowledgements) still goes out; then the status.
  void finish(grpc::Status status) {
    std::lock_guard lock(mutex_);
    if (!reactor_ || finishing_) return;
    finishing_ = true;
    status_ = std::move(status);
    if (!writing_) finish_now();
  }
  /// The peer is gone: nothing queued can reach it.
  void abandon() {
    std::lock_guard lock(mutex_);
    if (!reactor_ || finished_) return;
    finishing_ = true;
    status_ = grpc::Status::CANCELLED;
    if (!writing_) finish_now();
  }
  void gone() {
    std::lock_guard lock(mutex_);
    reactor_ = nullptr;
    queue_.clear();
  }

private:
  bool push_in_parts(std::vector<assignment> tasks) {
    assign part;
    std::size_t bytes = 0;
    for (auto& t : tasks) {
      bytes += t.payload ? t.payload->size() : 0;
      part.tasks.push_back(std::move(t));
      if (part.tasks.size() < assign_tasks && bytes < assign_bytes) continue;
      if (!push_one(write(to_worker(std::move(part))))) return false;
      part = {};
      bytes = 0;
    }
    return part.tasks.empty() || push_one(write(to_worker(std::move(part))));
  }

  bool push_one(v1::ToWorker message) {
    std::lock_guard lock(mutex_);
    if (!reactor_ || finishing_) return false;
    const auto size = message.ByteSizeLong();
    if (queue_.size() >= queue_messages || bytes_ + size > queue_bytes) return false;
    bytes_ += size;
    queue_.push_back(std::move(message));
    if (!writing_) {
      writing_ = true;
      write_front();
    }
    return true;
  }

  /// With more behind it a message is only laid out; the last one takes all to the socket in one go.
  void write_front() { reactor_->StartWrite(&queue_.front(), queue_.size() > 1 ? grpc::WriteOptions().set_buffer_hint() : grpc::WriteOptions()); }

  void finish_now() {
    finished_ = true;
    reactor_->Finish(status_);
  }

  std::mutex mutex_;
  reactor* reactor_;
  const std::string peer_;
  std::deque<v1::ToWorker> queue_; // front: being written
  std::size_t bytes_ = 0;
  bool writing_ = false, finishing_ = false, finished_ = false, paused_ = false;
  int unread_ = 0;
  grpc::Status status_;
  v1::FromWorker incoming_;
};

class stream_reactor final : public reactor {
public:
  stream_reactor(caf::actor_system& system, const coordinator_desk_actor& coordinator, std::shared_ptr<const lease_view> view,
                 session_timing timing, std::string peer)
      : link_(std::make_shared<stream_link>(this, std::move(peer))),
        proxy_(system.spawn(worker_proxy, coordinator, link_, std::move(view), timing)) {
    link_->start_read();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      caf::anon_send(proxy_, stop_atom::value);
      link_->finish(grpc::Status::OK);
      return;
    }
    // Taken out and sent before it is counted: from then on consumed() may start the next read, into the same message, whose OnReadDone may
    // run on another thread and overtake.
    auto message = read(link_->incoming());
    if (!message) return link_->start_read();
    caf::anon_send(proxy_, std::move(*message));
    if (link_->read_one()) link_->start_read();
  }
  void OnWriteDone(bool ok) override {
    link_->written(ok);
    if (!ok) link_->abandon();
  }
  void OnCancel() override {
    caf::anon_send(proxy_, stop_atom::value);
    link_->abandon();
  }
  void OnDone() override {
    link_->gone();
    caf::anon_send(proxy_, stop_atom::value);
    delete this;
  }

private:
  std::shared_ptr<stream_link> link_;
  worker_proxy_actor proxy_;
};

class session_service final : public v1::WorkerService::CallbackService {
public:
  session_service(caf::actor_system& system, coordinator_desk_actor coordinator, std::shared_ptr<const lease_view> view,
                  session_timing timing)
      : system_(system), coordinator_(std::move(coordinator)), view_(std::move(view)), timing_(timing) {}

  reactor* Session(grpc::CallbackServerContext* context) override {
    return new stream_reactor(system_, coordinator_, view_, timing_, context->peer());
  }

private:
  caf::actor_system& system_;
  coordinator_desk_actor coordinator_;
  std::shared_ptr<const lease_view> view_;
  session_timing timing_;
};

} // namespace

std::unique_ptr<grpc::Service> make_session_service(caf::actor_system& system, coordinator_desk_actor coordinator,
                                                    std::shared_ptr<const lease_view> view, session_timing timing) {
  return std::make_unique<session_service>(system, std::move(coordinator), std::move(view), timing);
}

} // namespace taskmaster
