#include "gateway/session_client.hpp"

#include "gateway/channel_keeper.hpp"
#include "gateway/open_calls.hpp"
#include "gateway/session_proto.hpp"
#include "taskmaster/v1/worker.grpc.pb.h"

#include <deque>
#include <grpcpp/grpcpp.h>
#include <mutex>

namespace taskmaster {
namespace {

// What a worker has to say is bounded by what it holds; a coordinator that reads nothing at all ends here.
constexpr std::size_t queue_messages = 50'000;

/// One stream. Owns itself until gRPC is done with it.
class client_stream final : public grpc::ClientBidiReactor<v1::FromWorker, v1::ToWorker>,
                            public std::enable_shared_from_this<client_stream> {
public:
  client_stream(std::shared_ptr<grpc::Channel> channel, std::shared_ptr<open_calls> calls, std::uint64_t number, worker_actor who)
      : stub_(v1::WorkerService::NewStub(std::move(channel))), calls_(std::move(calls)), number_(number), who_(std::move(who)) {}

  void start() {
    self_ = shared_from_this();
    context_.set_wait_for_ready(false);
    calls_->enter(context_);
    stub_->async()->Session(&context_, this);
    StartRead(&incoming_);
    AddHold(); // push() comes from the worker, outside of gRPC's reactions
    StartCall();
  }

  bool push(from_worker message) {
    std::lock_guard lock(mutex_);
    if (over_ || queue_.size() >= queue_messages) return false;
    queue_.push_back(write(message));
    if (queue_.size() == 1) write_front();
    return true;
  }
  void close() {
    {
      std::lock_guard lock(mutex_);
      if (closing_) return;
      closing_ = true;
      over_ = true;
    }
    context_.TryCancel();
    release();
  }

  void OnReadInitialMetadataDone(bool) override {}
  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        std::lock_guard lock(mutex_);
        over_ = true;
      }
      release();
      return;
    }
    if (auto message = read(incoming_)) caf::anon_send(who_, link_event{number_, nullptr, std::move(*message), ""});
    StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    queue_.pop_front();
    if (!ok) over_ = true;
    if (over_) queue_.clear();
    if (!queue_.empty()) write_front();
  }
  void OnDone(const grpc::Status& status) override {
    const auto why = status.ok() ? std::string("the coordinator closed the stream") : status.error_message();
    caf::anon_send(who_, link_event{number_, nullptr, {}, why.empty() ? "the stream broke" : why});
    who_ = worker_actor{};
    const auto self = std::move(self_);
    calls_->leave(context_);
  }

private:
  /// With more behind it a message is only laid out; the last one takes all to the socket in one go.
  void write_front() { StartWrite(&queue_.front(), queue_.size() > 1 ? grpc::WriteOptions().set_buffer_hint() : grpc::WriteOptions()); }

  void release() {
    bool mine = false;
    {
      std::lock_guard lock(mutex_);
      mine = !released_;
      released_ = true;
    }
    if (mine) RemoveHold();
  }

  std::unique_ptr<v1::WorkerService::Stub> stub_;
  const std::shared_ptr<open_calls> calls_;
  grpc::ClientContext context_;
  const std::uint64_t number_;
  worker_actor who_;
  v1::ToWorker incoming_;
  std::mutex mutex_;
  std::deque<v1::FromWorker> queue_; // front: being written
  bool over_ = false, closing_ = false, released_ = false;
  std::shared_ptr<client_stream> self_;
};

class stream_end final : public coordinator_link {
public:
  explicit stream_end(std::shared_ptr<client_stream> s) : stream_(std::move(s)) {}
  ~stream_end() override { stream_->close(); }
  bool push(from_worker message) override { return stream_->push(std::move(message)); }
  void close() override { stream_->close(); }

private:
  std::shared_ptr<client_stream> stream_;
};

class session_dialer final : public coordinator_dialer {
public:
  /// Each dial connects anew: a coordinator that fell silent may be behind a connection that is dead and that the kernel would go on trying
  /// for a quarter of an hour, from an address that this machine may not have any more.
  void dial(const std::string& address, std::uint64_t number, worker_actor who) override {
    std::lock_guard lock(mutex_);
    auto stream = std::make_shared<client_stream>(channels_.open(address, 16 << 20), calls_, number, who);
    stream->start();
    channels_.let_go();
    // Open as far as gRPC goes: what is pushed waits for the connection, a failure comes as an event.
    caf::anon_send(who, link_event{number, std::make_shared<stream_end>(stream), {}, ""});
  }

  void stop() override { calls_->close(); }

private:
  const std::shared_ptr<open_calls> calls_ = std::make_shared<open_calls>();
  std::mutex mutex_;
  channel_keeper channels_;
};

} // namespace

std::shared_ptr<coordinator_dialer> make_session_dialer() { return std::make_shared<session_dialer>(); }

} // namespace taskmaster
