// The gateway as a server: routing, limits on real sockets, a scheduler in trouble, leaving.
#include "tests/catch.hpp"
#include "tests/gateway/http_fixture.hpp"
#include "tests/gateway/raw_client.hpp"

#include "gateway/http_call.hpp"

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <set>
#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

std::string chunked(const std::string& headers, std::size_t chunks, std::size_t size) {
  std::string out = "POST /v1/tasks HTTP/1.1\r\nHost: x\r\n" + headers + "Transfer-Encoding: chunked\r\n\r\n";
  char line[32];
  std::snprintf(line, sizeof line, "%zx\r\n", size);
  for (std::size_t i = 0; i < chunks; ++i) out += line + std::string(size, 'x') + "\r\n";
  return out + "0\r\n\r\n";
}

bool soon(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

} // namespace

TEST_CASE("unknown paths are 404, known ones with another method 405 with Allow") {
  http_fixture f;
  for (const char* path : {"/", "/v1", "/v1/", "/v1/tasks/", "/v1/tasks//wait", "/v1/task", "/V1/tasks", "/v1/tasks/a/b/c", "/v1/tasks/../tasks", "/healthz/"}) {
    INFO(path);
    CHECK(f.get(path).status == 404);
  }
  CHECK(f.send("PUT", "/v1/tasks", "{}").allow == "POST, GET, HEAD");
  CHECK(f.send("DELETE", "/v1/tasks").status == 405);
  CHECK(f.get("/schedule").allow == "POST");
  CHECK(f.post("/healthz", "{}").allow == "GET, HEAD");
  CHECK(f.send("OPTIONS", "/v1/queues").status == 405);
  CHECK(f.get("/v1/tasks/" + std::string(2000, 'a')).status == 400);
}

TEST_CASE("HEAD answers as GET, without the body") {
  http_fixture f;
  const auto r = f.send("HEAD", "/healthz");
  CHECK(r.status == 200);
  CHECK(r.body.empty());
  CHECK(f.send("HEAD", "/nowhere").status == 404);
}

TEST_CASE("the description has exactly the routes of the table, and its references lead somewhere") {
  http_fixture f;
  const auto doc = f.get("/openapi.json").json;
  CHECK(doc["openapi"] == "3.1.0");
  std::set<std::string> described, served;
  for (const auto& [path, methods] : doc["paths"].items())
    for (const auto& [method, op] : methods.items()) {
      described.insert(method + " " + path);
      CHECK(op.contains("responses"));
    }
  for (const auto& route : http_routes()) {
    std::string method = route.method;
    for (auto& c : method) c = static_cast<char>(std::tolower(c));
    served.insert(method + " " + route.path);
  }
  CHECK(described == served);
  const auto text = doc.dump();
  const std::string mark = "#/components/schemas/";
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const auto name = text.substr(at + mark.size(), text.find('"', at) - at - mark.size());
    INFO(name);
    CHECK(doc["components"]["schemas"].contains(name));
  }
}

TEST_CASE("the described task has the fields that are shown") {
  http_fixture f;
  const auto task = f.post("/v1/tasks", R"({"kind": "noop"})").json;
  const auto schema = f.get("/openapi.json").json["components"]["schemas"]["Task"]["properties"];
  std::set<std::string> shown, described;
  for (const auto& [name, value] : task.items()) shown.insert(name);
  for (const auto& [name, value] : schema.items()) described.insert(name);
  CHECK(shown == described);
}

TEST_CASE("JSON is taken under any content type") {
  http_fixture f;
  for (const char* type : {"application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"})
    CHECK(f.send("POST", "/v1/tasks", R"({"kind": "noop"})", {}, type).status == 201);
  CHECK(f.send("POST", "/v1/tasks", R"({"kind": "noop"})", {}, "multipart/form-data; boundary=x").status == 415);
}

TEST_CASE("a form-encoded body of 100 KiB is no larger than it is") {
  http_fixture f;
  const std::string body = R"({"kind": "noop", "payload": ")" + std::string(100 << 10, 'x') + "\"}";
  CHECK(f.send("POST", "/v1/tasks", body, {}, "application/x-www-form-urlencoded").status == 201);
  CHECK(f.node.told->submitted.back().payload.size() > 100 << 10);
}

TEST_CASE("a body over the limit is 413, however it is framed and whatever it is called") {
  http_fixture f([](http_gateway_options& o) { o.body_limit = 64 << 10; });
  const auto port = f.gateway.port();
  const std::string big(65 << 10, 'x');
  const auto plain = f.send("POST", "/v1/tasks", big, {}, "application/json");
  CHECK(plain.status == 413);
  CHECK(plain.json["detail"].get<std::string>().find("65536") != std::string::npos);
  CHECK(f.send("POST", "/v1/tasks", big, {}, "application/x-www-form-urlencoded").status == 413);
  for (const char* type : {"", "Content-Type: application/x-www-form-urlencoded\r\n"}) {
    const auto answer = raw_request(port, chunked(type, 9, 8 << 10));
    CHECK(status_of_response(answer) == 413);
    CHECK(answer.find("Connection: close") != std::string::npos);
  }
  // Twenty megabytes on their way: the answer still arrives.
  CHECK(status_of_response(raw_request(port, chunked("", 20, 1 << 20))) == 413);
  CHECK(f.node.calls() == 0);
}

TEST_CASE("the real limit is 16 MiB") {
  http_fixture f;
  CHECK(f.send("POST", "/v1/tasks", std::string((16u << 20) + 1, ' ')).status == 413);
  CHECK(f.send("POST", "/v1/tasks", R"({"kind": "noop"})" + std::string((16u << 20) - 16, ' ')).status == 201);
}

TEST_CASE("a compressed body counts as what it unpacks to") {
  http_fixture f([](http_gateway_options& o) { o.body_limit = 64 << 10; });
  httplib::Client client("127.0.0.1", f.gateway.port());
  client.set_compress(true);
  const auto res = client.Post("/v1/tasks", std::string(1 << 20, ' '), "application/json");
  REQUIRE(res);
  CHECK(res->status == 413);
}

TEST_CASE("curl's question before a long body is answered with the limit") {
  http_fixture f([](http_gateway_options& o) { o.body_limit = 1000; });
  raw_client client(f.gateway.port());
  client.send("POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
  CHECK(status_of_response(client.read_all()) == 413);
  raw_client allowed(f.gateway.port());
  allowed.send("POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n{\"kind\": \"noop\"}");
  CHECK(allowed.read_all().find("201 Created") != std::string::npos);
}

TEST_CASE("malformed requests get 400 and the end of the connection") {
  http_fixture f;
  const auto port = f.gateway.port();
  const std::string host = "Host: x\r\n";
  struct {
    std::string request;
    int status;
  } const table[] = {
      {"nonsense\r\n\r\n", 400},
      {"GET /healthz\r\n\r\n", 400},
      {"GET /healthz HTTP/9.9\r\n" + host + "\r\n", 400},
      {"FETCH /healthz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Content-Length: ten\r\n\r\n", 400},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999999\r\n\r\n", 400},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Content-Length: 99999999999\r\n\r\n", 413},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"POST /v1/tasks HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n-2\r\n" + std::string(100, 'x'), 400},
      {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", 400},
      {"GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {"GET /healthz HTTP/1.1\r\n" + host + "X: " + std::string(100'000, 'a') + "\r\n\r\n", 400},
  };
  for (const auto& row : table) {
    INFO(row.request.substr(0, 120));
    raw_client client(port);
    client.send(row.request);
    client.finish();
    const auto answer = client.read_all(); // read_all ends only when the server closes
    CHECK(status_of_response(answer) == row.status);
    CHECK(answer.find("application/problem+json") != std::string::npos);
    CHECK(answer.find("HTTP/1.1", 5) == std::string::npos);
  }
  // Endless bytes in the request line, and headers without end.
  CHECK(status_of_response(raw_request(port, "GET /" + std::string(1 << 20, 'a'))) == 431);
  std::string many = "GET /healthz HTTP/1.1\r\n" + host;
  for (int i = 0; i < 10'000; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  const auto answer = raw_request(port, many + "\r\n");
  CHECK((status_of_response(answer) == 400 || status_of_response(answer) == 431));
  CHECK(f.get("/healthz").status == 200);
}

TEST_CASE("a body that ends early is no task") {
  http_fixture f;
  raw_client client(f.gateway.port());
  client.send("POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"kind\": \"noop\"}");
  client.finish();
  CHECK(status_of_response(client.read_all()) == 400);
  CHECK(f.node.calls() == 0);
}

TEST_CASE("one connection serves many requests, also sent ahead") {
  http_fixture f;
  raw_client client(f.gateway.port());
  const std::string body = R"({"kind": "noop"})";
  const std::string post = "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status_of_response(client.read_response()) == 200);
  client.send(post + post + "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto answers = client.read_all();
  CHECK(answers.find("404") != std::string::npos);
  CHECK(f.node.calls() == 2);
}

TEST_CASE("a Range header cuts no JSON") {
  http_fixture f;
  const auto r = f.send("GET", "/healthz", "", {{"Range", "bytes=0-3"}});
  CHECK(r.status == 200);
  CHECK(r.json["status"] == "ok");
}

TEST_CASE("idle connections make way when all threads are taken") {
  http_fixture f([](http_gateway_options& o) {
    o.threads = 2;
    o.keep_alive = 60s;
  });
  raw_client a(f.gateway.port()), b(f.gateway.port());
  for (auto* c : {&a, &b}) {
    c->send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(status_of_response(c->read_response()) == 200);
  }
  // Both threads hold an idle client that may stay a minute; the client library gives up after ten seconds.
  CHECK(f.get("/healthz").status == 200);
}

TEST_CASE("a scheduler that refuses is passed on with its time to wait") {
  http_fixture f;
  const auto with = [&](error e) {
    f.node.tell([&](script& s) { s.refuse = e; });
    return f.post("/v1/tasks", R"({"kind": "noop"})");
  };
  error down(ec::unavailable, "The database cannot be reached.");
  CHECK(with(down).status == 503);
  CHECK(with(down).retry_after == "1");
  down.retry_after = 7s;
  CHECK(with(down).retry_after == "7");
  const auto full = with(error(ec::exhausted, "100,000 tasks are under way, which is the limit."));
  CHECK(full.status == 429);
  CHECK(full.retry_after == "1");
  CHECK(with(error(ec::ambiguous, "It may have been stored.")).status == 503);
  const auto ours = with(error(ec::internal, "secret of the log"));
  CHECK(ours.status == 500);
  CHECK(ours.body.find("secret") == std::string::npos);
  for (const char* path : {"/v1/tasks", "/v1/queues", "/v1/workers"}) {
    f.node.tell([&](script& s) { s.refuse = down; });
    CHECK(f.get(path).status == 503);
  }
}

TEST_CASE("a mute scheduler is 503 within the deadline") {
  http_fixture f([](http_gateway_options& o) { o.deadline = 100ms; });
  f.node.tell([](script& s) { s.mute = true; });
  const auto r = f.post("/v1/tasks", R"({"kind": "noop"})");
  CHECK(r.status == 503);
  CHECK(r.json["type"] == "urn:taskmaster:problem:deadline-exceeded");
  CHECK_FALSE(r.retry_after.empty());
  CHECK(f.get("/v1/queues").status == 503);
}

TEST_CASE("a dead scheduler is 503, also for requests that were with it") {
  http_fixture f([](http_gateway_options& o) { o.deadline = 60s; });
  f.node.tell([](script& s) { s.mute = true; });
  reply r;
  std::thread asker([&] { r.status = httplib::Client("127.0.0.1", f.gateway.port()).Get("/v1/queues")->status; });
  CHECK(soon([&] { return f.node.calls() == 1; }));
  f.node.kill_scheduler();
  asker.join();
  CHECK(r.status == 503);
  CHECK(f.get("/v1/queues").status == 503);
  CHECK(f.get("/readyz").status == 503);
  CHECK(f.get("/healthz").status == 200);
}

TEST_CASE("readiness is the database's") {
  http_fixture f;
  f.node.tell([](script& s) { s.health = {true, false, "no leader"}; });
  const auto ready = f.get("/readyz");
  CHECK(ready.status == 200);
  CHECK(ready.json["coordinator"] == false);
  f.node.tell([](script& s) { s.health = {false, true, "connection refused"}; });
  const auto down = f.get("/readyz");
  CHECK(down.status == 503);
  CHECK(down.json["database"] == false);
  CHECK(down.json["detail"] == "connection refused");
  CHECK(down.retry_after == "1");
}

TEST_CASE("more clients than may wait get 429") {
  http_fixture f([](http_gateway_options& o) { o.max_waiters = 1; });
  const auto id = f.submit();
  f.node.tell([](script& s) { s.mute = true; });
  const auto before = f.node.calls();
  int first = 0;
  std::thread waiter([&] {
    httplib::Client client("127.0.0.1", f.gateway.port());
    client.set_read_timeout(30);
    const auto res = client.Get("/v1/tasks/" + id + "/wait?timeout=5m");
    first = res ? res->status : -1;
  });
  CHECK(soon([&] { return f.node.calls() == before + 1; }));
  const auto second = f.get("/v1/tasks/" + id + "/wait?timeout=5m");
  CHECK(second.status == 429);
  CHECK_FALSE(second.retry_after.empty());
  // Leaving answers the one that waits.
  f.gateway.stop();
  waiter.join();
  CHECK(first == 503);
}

TEST_CASE("the gateway leaves although clients are connected, waiting and in mid-request") {
  http_fixture f([](http_gateway_options& o) {
    o.keep_alive = 60s;
    o.deadline = 60s;
  });
  raw_client idle(f.gateway.port()), half(f.gateway.port());
  idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status_of_response(idle.read_response()) == 200);
  half.send("POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Le");
  f.node.tell([](script& s) { s.mute = true; });
  int status = 0;
  std::thread asker([&] {
    const auto res = httplib::Client("127.0.0.1", f.gateway.port()).Get("/v1/queues");
    status = res ? res->status : -1;
  });
  CHECK(soon([&] { return f.node.calls() == 1; }));
  f.gateway.stop(); // would hang for a minute if it waited for them
  asker.join();
  CHECK(status == 503);
  CHECK(idle.read_all().empty());
  f.gateway.stop();
}

TEST_CASE("a port that is taken is an error and not a second server on it") {
  http_fixture f;
  http_gateway second(f.node.system, f.node.scheduler, [&] {
    http_gateway_options o;
    o.port = f.gateway.port();
    o.threads = 1;
    return o;
  }());
  const auto started = second.start();
  REQUIRE_FALSE(started);
  CHECK(started.failure().code == ec::unavailable);
}

TEST_CASE("metrics show the node's registry and the gateway's own counts by route") {
  auto registry = std::make_shared<prometheus::Registry>();
  prometheus::BuildCounter().Name("somebodys_total").Help("x").Register(*registry).Add({}).Increment(3);
  http_fixture f([&](http_gateway_options& o) { o.registry = registry; });
  f.submit();
  f.get("/v1/tasks/x");
  f.get("/some/secret/path");
  const auto r = f.get("/metrics");
  CHECK(r.status == 200);
  CHECK(r.content_type.starts_with("text/plain"));
  CHECK(r.body.find("somebodys_total 3") != std::string::npos);
  CHECK(r.body.find("taskmaster_http_requests_total{route=\"submitTask\",status=\"201\"} 1") != std::string::npos);
  CHECK(r.body.find("route=\"getTask\",status=\"400\"") != std::string::npos);
  CHECK(r.body.find("route=\"none\",status=\"404\"") != std::string::npos);
  CHECK(r.body.find("secret") == std::string::npos);
}
