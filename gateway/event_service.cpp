#include "gateway/event_service.hpp"

#include "gateway/event_proto.hpp"
#include "gateway/grpc_server.hpp"
#include "gateway/grpc_status.hpp"
#include "gateway/scheduler_client.hpp"
#include "taskmaster/v1/event.grpc.pb.h"

#include <deque>
#include <grpcpp/alarm.h>
#include <mutex>
#include <set>

namespace taskmaster {
namespace {

using writer = grpc::ServerWriteReactor<v1::Event>;

constexpr std::size_t page_events = 500;

class event_stream;

/// What the streams of one service share.
struct stream_room {
  explicit stream_room(event_service_options o) : options(o) {}
  const event_service_options options;
  std::mutex mutex;
  std::set<std::shared_ptr<event_stream>> open;
  bool left = false;
};

/// A stream beside its reactor, which gRPC deletes; answers of the scheduler may come later.
class event_stream : public std::enable_shared_from_this<event_stream> {
public:
  event_stream(writer* reactor, grpc::CallbackServerContext* context, std::shared_ptr<scheduler_client> client, duration heartbeat,
               duration silence, event_request what)
      : reactor_(reactor), context_(context), client_(std::move(client)), heartbeat_(heartbeat), silence_(silence), what_(std::move(what)) {
    what_.most = page_events;
  }

  void ask() {
    client_->events(what_, heartbeat_, [self = shared_from_this()](const events_answer& page) { self->hear(page); });
  }

  void hear(const events_answer& page) {
    std::unique_lock lock(mutex_);
    if (!reactor_ || finished_) return;
    if (!page) {
      if (page.failure().code != ec::deadline_exceeded) return finish(grpc_status(page.failure()));
      lock.unlock();
      return ask();
    }
    if (page->gap && what_.after) {
      v1::Event gap;
      gap.set_event_id(to_string(page->from));
      gap.mutable_gap()->set_after(to_string(*what_.after));
      out_.push_back(std::move(gap));
    }
    for (const auto& e : page->events) write_event(out_.emplace_back(), e);
    if (page->next != event_id{}) {
      what_.after = page->next;
      if (page->events.empty() || page->events.back().id != page->next) out_.emplace_back().set_event_id(to_string(page->next));
    }
    if (out_.empty()) {
      lock.unlock();
      return ask();
    }
    write();
  }

  void written(bool ok) {
    std::unique_lock lock(mutex_);
    writing_ = false;
    alarm_.reset();
    if (!reactor_) return;
    out_.pop_front();
    if (status_ || !ok) return finish(status_.value_or(grpc::Status::CANCELLED));
    if (!out_.empty()) return write();
    lock.unlock();
    ask();
  }

  /// The client has left, or the server goes.
  void end(const grpc::Status& status) {
    std::lock_guard lock(mutex_);
    finish(status);
  }

  void gone() {
    std::lock_guard lock(mutex_);
    reactor_ = nullptr;
    alarm_.reset();
  }

private:
  void write() {
    writing_ = true;
    // Flow control holds the write of a client that does not read.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + silence_, [weak = weak_from_this()](bool rang) {
      if (const auto self = weak.lock(); self && rang) self->cut();
    });
    reactor_->StartWrite(&out_.front());
  }
  void cut() {
    std::lock_guard lock(mutex_);
    if (!reactor_ || !writing_) return;
    status_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "nothing was read for too long; resume with the last event_id");
    context_->TryCancel();
  }
  void finish(const grpc::Status& status) {
    if (!reactor_ || finished_) return;
    if (writing_) {
      status_ = status; // when the write has ended
      return;
    }
    finished_ = true;
    reactor_->Finish(status);
  }

  std::mutex mutex_;
  writer* reactor_; // null: gone
  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<scheduler_client> client_;
  const duration heartbeat_, silence_;
  event_request what_;
  std::deque<v1::Event> out_; // front: being written
  bool writing_ = false, finished_ = false;
  std::optional<grpc::Status> status_;
  std::unique_ptr<grpc::Alarm> alarm_;
};

class stream_reactor final : public writer {
public:
  stream_reactor(grpc::CallbackServerContext* context, const std::shared_ptr<scheduler_client>& client, std::shared_ptr<stream_room> room,
                 event_request what)
      : room_(std::move(room)),
        stream_(std::make_shared<event_stream>(this, context, client, room_->options.heartbeat, room_->options.silence, std::move(what))) {
    {
      std::lock_guard lock(room_->mutex);
      if (!room_->left && room_->open.size() < room_->options.max_streams) inside_ = room_->open.insert(stream_).second;
    }
    if (inside_) {
      stream_->ask();
      return;
    }
    error full(ec::exhausted, std::to_string(room_->options.max_streams) + " event streams are open on this node, which is its limit; try again later, or another node.");
    full.retry_after = std::chrono::seconds(5);
    for (const auto& [name, value] : grpc_trailers(full)) context->AddTrailingMetadata(name, value);
    stream_->end(grpc_status(full));
  }

private:
  void OnWriteDone(bool ok) override { stream_->written(ok); }
  void OnCancel() override { stream_->end(grpc::Status::CANCELLED); }
  void OnDone() override {
    {
      std::lock_guard lock(room_->mutex);
      if (inside_) room_->open.erase(stream_);
    }
    stream_->gone();
    delete this;
  }

  const std::shared_ptr<stream_room> room_;
  const std::shared_ptr<event_stream> stream_;
  bool inside_ = false;
};

/// A call that ends with a refusal.
class refused_reactor final : public writer {
public:
  refused_reactor(grpc::CallbackServerContext* context, const error& e) {
    for (const auto& [name, value] : grpc_trailers(e)) context->AddTrailingMetadata(name, value);
    Finish(grpc_status(e));
  }

private:
  void OnDone() override { delete this; }
};

class event_rpc final : public v1::EventService::CallbackService, public leaving_service {
public:
  event_rpc(caf::actor_system& system, scheduler_actor scheduler, event_service_options o)
      : client_(std::make_shared<scheduler_client>(system, std::move(scheduler))), room_(std::make_shared<stream_room>(o)) {}
  ~event_rpc() override { client_->stop(); }

  writer* Watch(grpc::CallbackServerContext* context, const v1::WatchRequest* request) override {
    auto what = read_watch(*request);
    if (!what) return new refused_reactor(context, what.failure());
    return new stream_reactor(context, client_, room_, std::move(*what));
  }

  void leave() override {
    std::set<std::shared_ptr<event_stream>> open;
    {
      std::lock_guard lock(room_->mutex);
      room_->left = true;
      open = room_->open;
    }
    for (const auto& s : open) s->end(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this node is shutting down; resume at another one"));
  }

private:
  const std::shared_ptr<scheduler_client> client_;
  const std::shared_ptr<stream_room> room_;
};

} // namespace

std::unique_ptr<grpc::Service> make_event_service(caf::actor_system& system, scheduler_actor scheduler, event_service_options options) {
  return std::make_unique<event_rpc>(system, std::move(scheduler), options);
}

} // namespace taskmaster
