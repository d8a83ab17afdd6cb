#include "gateway/status_server.hpp"

#include "gateway/http_server.hpp"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <thread>

namespace taskmaster {

// Probes and a scraper or two: nobody else has business here.
constexpr std::size_t status_threads = 4;

struct status_server::parts {
  explicit parts(std::shared_ptr<prometheus::Registry> r) : registry(std::move(r)), server(status_threads, std::chrono::seconds(2)) {
    server.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
      answer(req, res);
      return httplib::Server::HandlerResponse::Handled;
    });
  }

  /// By the target: http_server keeps paths away from the library's own routing.
  void answer(const httplib::Request& req, httplib::Response& res) {
    const bool reads = req.method == "GET" || req.method == "HEAD";
    if (reads && req.target == "/healthz") {
      res.set_content("{\"status\":\"alive\"}", "application/json");
    } else if (reads && req.target == "/metrics") {
      res.set_content(prometheus::TextSerializer().Serialize(registry->Collect()), "text/plain; version=0.0.4; charset=utf-8");
    } else {
      http_server::current().close(); // a body, if there is one, stays unread
      res.status = 404;
      res.set_content("GET /healthz and GET /metrics are all that is here.\n", "text/plain");
    }
  }

  std::shared_ptr<prometheus::Registry> registry;
  http_server server;
  std::thread listener;
  std::uint16_t port = 0;
};

status_server::status_server(std::shared_ptr<prometheus::Registry> registry) : parts_(std::make_unique<parts>(std::move(registry))) {}

status_server::~status_server() { stop(); }

expected<done> status_server::start(const std::string& host, std::uint16_t port) {
  auto& p = *parts_;
  const int got = p.server.open(host, port);
  if (got == 0)
    return error(ec::unavailable, "cannot serve metrics on " + host + ":" + std::to_string(port) + "; is the port taken, or the address not of this machine?");
  p.port = static_cast<std::uint16_t>(got);
  p.listener = std::thread([&p] { p.server.listen_after_bind(); });
  // A stop before the loop runs would be lost on the library.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!p.server.is_running() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return done{};
}

std::uint16_t status_server::port() const { return parts_->port; }

void status_server::stop() {
  auto& p = *parts_;
  if (!p.listener.joinable()) return;
  p.server.leave();
  p.server.stop();
  p.listener.join();
}

} // namespace taskmaster
