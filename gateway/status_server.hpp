// /healthz and /metrics of a node that has no HTTP gateway: a coordinator. Made, started and stopped by its composition's thread.
#pragma once
#include "schema/error.hpp"

#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace taskmaster {

class status_server {
public:
  explicit status_server(std::shared_ptr<prometheus::Registry> registry);
  ~status_server();

  /// Serves from here on; port 0 picks a free one. ec::unavailable when host and port cannot be had.
  expected<done> start(const std::string& host, std::uint16_t port);
  std::uint16_t port() const;
  /// Returns when nobody is served any more. Idempotent.
  void stop();

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace taskmaster
