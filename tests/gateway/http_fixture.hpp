// A gateway on a free port over a fake scheduler, and a client that speaks JSON to it.
#pragma once
#include "gateway/http_gateway.hpp"
#include "tests/gateway/fake_scheduler.hpp"

#include <httplib.h>
#include <nlohmann/json.hpp>

namespace taskmaster::test {

struct reply {
  int status = 0;
  std::string body, content_type, location, allow, retry_after;
  nlohmann::json json; // discarded when the body is none
  std::string fault_field() const; // of the first fault
};

class http_fixture {
public:
  explicit http_fixture(const std::function<void(http_gateway_options&)>& change = {});
  reply send(const std::string& method, const std::string& target, const std::string& body = "", const httplib::Headers& headers = {},
             const std::string& type = "application/json");
  reply get(const std::string& target) { return send("GET", target); }
  reply post(const std::string& target, const std::string& body, const httplib::Headers& headers = {}) { return send("POST", target, body, headers); }
  /// Submits a noop and gives its id.
  std::string submit(const std::string& task = R"({"kind": "noop"})");

  fake_node node;
  http_gateway gateway;
};

} // namespace taskmaster::test
