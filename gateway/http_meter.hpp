// Counts and times HTTP requests by route and status, in the node's Prometheus registry. Used by http_gateway; any thread.
#pragma once
#include <chrono>
#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace taskmaster {

class http_meter {
public:
  explicit http_meter(prometheus::Registry& registry);
  http_meter(const http_meter&) = delete;
  http_meter& operator=(const http_meter&) = delete;
  ~http_meter();

  /// `route` is a name out of the route table, or "none": never something a client made up.
  void count(const std::string& route, int status, std::chrono::duration<double> took);

private:
  struct families;
  std::unique_ptr<families> families_;
};

} // namespace taskmaster
