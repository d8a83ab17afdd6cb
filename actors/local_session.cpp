#include "actors/local_session.hpp"

#include <mutex>

namespace taskmaster {
namespace {

/// Both ends share whether the stream is open; either may close it, on any thread.
class stream {
public:
  stream(worker_actor worker, std::uint64_t dial) : worker_(std::move(worker)), dial_(dial) {}

  bool down(to_worker message) {
    std::lock_guard lock(mutex_);
    if (!open_) return false;
    caf::anon_send(worker_, link_event{dial_, nullptr, std::move(message), ""});
    return true;
  }
  bool up(from_worker message) {
    std::lock_guard lock(mutex_);
    if (!open_) return false;
    caf::anon_send(proxy_, std::move(message));
    return true;
  }
  void close(const std::string& why) {
    std::lock_guard lock(mutex_);
    if (!open_) return;
    open_ = false;
    caf::anon_send(worker_, link_event{dial_, nullptr, {}, why});
    if (proxy_) caf::anon_send(proxy_, stop_atom::value);
    worker_ = worker_actor{}; // handles in both directions would keep both actors alive for ever
    proxy_ = worker_proxy_actor{};
  }
  void attach(worker_proxy_actor proxy) {
    std::lock_guard lock(mutex_);
    proxy_ = std::move(proxy);
  }

private:
  std::mutex mutex_;
  bool open_ = true;
  worker_actor worker_;
  worker_proxy_actor proxy_;
  std::uint64_t dial_;
};

class coordinator_end final : public worker_link {
public:
  explicit coordinator_end(std::shared_ptr<stream> s) : stream_(std::move(s)) {}
  bool push(to_worker message) override { return stream_->down(std::move(message)); }
  void close(std::string reason) override { stream_->close(reason); }
  std::string peer() const override { return "in process"; }

private:
  std::shared_ptr<stream> stream_;
};

class worker_end final : public coordinator_link {
public:
  explicit worker_end(std::shared_ptr<stream> s) : stream_(std::move(s)) {}
  bool push(from_worker message) override { return stream_->up(std::move(message)); }
  void close() override { stream_->close("closed by the worker"); }

private:
  std::shared_ptr<stream> stream_;
};

class local_dialer final : public coordinator_dialer {
public:
  local_dialer(caf::actor_system& system, coordinator_desk_actor coordinator, std::shared_ptr<const lease_view> view,
               session_timing timing)
      : system_(system), coordinator_(std::move(coordinator)), view_(std::move(view)), timing_(timing) {}

  void dial(const std::string&, std::uint64_t number, worker_actor who) override {
    auto s = std::make_shared<stream>(who, number);
    s->attach(system_.spawn(worker_proxy, coordinator_, std::make_shared<coordinator_end>(s), view_, timing_));
    caf::anon_send(who, link_event{number, std::make_shared<worker_end>(s), {}, ""});
  }

private:
  caf::actor_system& system_;
  coordinator_desk_actor coordinator_;
  std::shared_ptr<const lease_view> view_;
  session_timing timing_;
};

} // namespace

std::shared_ptr<coordinator_dialer> make_local_dialer(caf::actor_system& system, coordinator_desk_actor coordinator,
                                                      std::shared_ptr<const lease_view> view, session_timing timing) {
  return std::make_shared<local_dialer>(system, std::move(coordinator), std::move(view), timing);
}

} // namespace taskmaster
