// The HTTP door: a server on a port of its own, its routes, its limits and its metrics. Made by the composition of a scheduler
// node (cluster/), which starts it last and stops it first. Members are for the composition's thread.
#pragma once
#include "actors/interfaces.hpp"

#include <functional>
#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace taskmaster {

struct http_gateway_options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0; // 0 picks a free one
  /// Connections served at once; an idle one is let go when others wait.
  std::size_t threads = 128;
  /// Clients that may block in …/wait at once; fewer than threads, so that others get through. More get 429.
  std::size_t max_waiters = 64;
  /// Event streams at once; more get 429. They share one thread.
  std::size_t max_streams = 256;
  /// Of an event stream on which nothing happens: a comment, so that nobody between takes it for dead.
  duration heartbeat = std::chrono::seconds(15);
  std::size_t body_limit = limits::body_bytes;
  std::chrono::seconds keep_alive{2};
  /// What a call that does not wait on purpose may take before it is answered with 503.
  duration deadline = std::chrono::seconds(10);
  /// Shown at /metrics, the gateway's own counters with the rest. None given: a registry of its own.
  std::shared_ptr<prometheus::Registry> registry;
  /// The clock that bounds run_at; the machine's when empty.
  std::function<timestamp()> now;
};

class http_gateway {
public:
  http_gateway(caf::actor_system& system, scheduler_actor scheduler, http_gateway_options options);
  http_gateway(const http_gateway&) = delete;
  http_gateway& operator=(const http_gateway&) = delete;
  ~http_gateway();

  /// Serves from here on. ec::unavailable when host and port cannot be had.
  expected<done> start();
  /// Where it listens, once started.
  std::uint16_t port() const;
  /// Takes no more requests, gives those under way a second, answers clients that wait with 503, ends streams at once, and returns within two seconds. Idempotent.
  void stop();

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace taskmaster
