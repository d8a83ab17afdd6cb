// One dialled connection between a worker and a coordinator.
#pragma once
#include "tests/simulate/network.hpp"

namespace taskmaster::simulate {

class stream : public std::enable_shared_from_this<stream> {
public:
  stream(network& net, world& w, books& b) : net_(net), world_(w), books_(b) {}

  bool push_down(to_worker message);
  bool push_up(from_worker message);
  /// An end is closed by its owner; the other end hears of it when the wire lets it.
  void close_coordinator_end(const std::string& why);
  void close_worker_end();
  void stall(bool up, bool down);
  void release();
  /// One of the results that this worker's process has sent is sent once more, if there is one.
  void say_again();
  /// The connection is gone.
  void snap(bool coordinator_hears, bool worker_hears, duration coordinator_after, duration worker_after);
  bool open() const { return !coordinator_closed_ && !worker_closed_; }

  books::session who;
  std::string address;
  std::uint64_t dial = 0;
  std::shared_ptr<part> worker_home, coordinator_home;
  worker_actor worker;
  worker_proxy_actor proxy;

private:
  struct way {
    bool stalled = false, lost = false;
    steady_time last{};
    std::vector<std::function<void()>> held;
  };
  void send(way& w, std::function<void()> deliver);
  void tell_worker(const std::string& why);
  void tell_proxy();

  network& net_;
  world& world_;
  books& books_;
  way up_, down_;
  bool coordinator_closed_ = false, worker_closed_ = false;
};

} // namespace taskmaster::simulate
