#include "tests/gateway/http_fixture.hpp"

#include "tests/catch.hpp"

namespace taskmaster::test {
namespace {

http_gateway_options options(const std::function<void(http_gateway_options&)>& change) {
  http_gateway_options o;
  o.now = fixed_now;
  o.threads = 16;
  if (change) change(o);
  return o;
}

} // namespace

std::string reply::fault_field() const {
  if (!json.is_object() || !json.contains("errors") || json["errors"].empty()) return "none";
  return json["errors"][0]["field"];
}

http_fixture::http_fixture(const std::function<void(http_gateway_options&)>& change) : gateway(node.system, node.scheduler, options(change)) {
  REQUIRE(gateway.start());
}

reply http_fixture::send(const std::string& method, const std::string& target, const std::string& body, const httplib::Headers& headers,
                         const std::string& type) {
  httplib::Client client("127.0.0.1", gateway.port());
  client.set_read_timeout(10);
  httplib::Request req;
  req.method = method;
  req.path = target;
  req.headers = headers;
  req.body = body;
  if (!body.empty()) req.set_header("Content-Type", type);
  const auto res = client.send(req);
  REQUIRE(res);
  reply out{res->status,
            res->body,
            res->get_header_value("Content-Type"),
            res->get_header_value("Location"),
            res->get_header_value("Allow"),
            res->get_header_value("Retry-After"),
            nlohmann::json::parse(res->body, nullptr, false)};
  if (out.status >= 400 && method != "HEAD" && target != "/readyz") {
    CHECK(out.content_type == "application/problem+json");
    CHECK(out.json["status"] == out.status);
    CHECK_FALSE(out.json["detail"].get<std::string>().empty());
  }
  return out;
}

std::string http_fixture::submit(const std::string& task) {
  const auto r = post("/v1/tasks", task);
  REQUIRE(r.status == 201);
  return r.json["id"];
}

} // namespace taskmaster::test
