// HTTP tasks against a real server in this process.
#include "actors/http_executor.hpp"

#include "actors/retry_after.hpp"
#include "tests/executors/awaited.hpp"

#include <httplib.h>
#include <sys/socket.h>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

class server {
public:
  server() {
    // One kept for a slow handler must not keep the others waiting.
    listener.new_task_queue = [] { return new httplib::ThreadPool(8); };
    listener.set_keep_alive_max_count(1);
    port_ = listener.bind_to_any_port("127.0.0.1");
    listener.Post("/echo", [](const httplib::Request& q, httplib::Response& r) {
      nlohmann::json seen;
      for (const auto& [name, value] : q.headers) seen["headers"][name] = value;
      seen["body"] = q.body;
      seen["path"] = q.target;
      r.set_header("X-Two", "a");
      r.headers.emplace("X-Two", "b");
      r.set_content(seen.dump(), "application/json");
    });
    listener.Get("/hello", [](const httplib::Request&, httplib::Response& r) { r.set_content("hello", "text/plain"); });
    listener.Get("/bad", [](const httplib::Request&, httplib::Response& r) {
      r.status = 500;
      r.set_content("broken", "text/plain");
    });
    listener.Get("/busy", [](const httplib::Request&, httplib::Response& r) {
      r.status = 429;
      r.set_header("Retry-After", "120");
    });
    listener.Get("/later", [](const httplib::Request&, httplib::Response& r) {
      r.status = 503;
      r.set_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
      r.set_header("Retry-After", "Sun, 06 Nov 1994 09:00:00 GMT");
    });
    listener.Get("/moved", [](const httplib::Request&, httplib::Response& r) { r.set_redirect("/hello"); });
    listener.Get("/big", [](const httplib::Request&, httplib::Response& r) {
      r.set_content(std::string(5'000'000, 'x'), "text/plain");
    });
    listener.Get("/slow", [this](const httplib::Request&, httplib::Response& r) {
      ++slow;
      // Bytes come all the time, so that no limit on silence helps.
      r.set_chunked_content_provider("text/plain", [this](std::size_t, httplib::DataSink& sink) {
        std::this_thread::sleep_for(5ms);
        if (leaving) sink.done();
        return sink.write(".", 1);
      });
    });
    listener.Get("/mute", [this](const httplib::Request&, httplib::Response&) {
      ++slow;
      while (!leaving) std::this_thread::sleep_for(5ms);
    });
    thread_ = std::thread([this] { listener.listen_after_bind(); });
    REQUIRE(eventually([&] { return listener.is_running(); }));
  }
  ~server() {
    leaving = true;
    listener.stop();
    thread_.join();
  }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

  httplib::Server listener;
  std::atomic<int> slow = 0;
  std::atomic<bool> leaving = false;

private:
  int port_ = 0;
  std::thread thread_;
};

execution_result call(const nlohmann::json& payload, duration timeout = duration{0}) {
  http_executor executor(2);
  auto what = an_execution("http", payload.dump());
  what.task = *uuid::parse("01234567-89ab-7def-8123-456789abcdef");
  what.attempt = 3;
  what.timeout = timeout;
  return run_to_end(executor, what);
}

} // namespace

TEST_CASE("an answer of 2xx succeeds with status, headers and body") {
  server target;
  const auto r = call({{"url", target.url("/hello?a=%20b#part")}});
  CHECK(r.outcome == run_outcome::succeeded);
  CHECK(json_of(r).at("status") == 200);
  CHECK(json_of(r).at("body") == "hello");
  CHECK(json_of(r).at("headers").at("content-type") == "text/plain");
}

TEST_CASE("the target is told which task, attempt and fence it serves") {
  server target;
  const auto r = call({{"url", target.url("/echo?q=1&r=%2F")},
                       {"headers", {{"X-Mine", "yes"}, {"x-taskmaster-fence", "forged"}}},
                       {"body", {{"n", 1}}}});
  REQUIRE(r.outcome == run_outcome::succeeded);
  CHECK(json_of(r).at("headers").at("x-two") == "a, b");
  const auto seen = nlohmann::json::parse(json_of(r).at("body").get<std::string>());
  CHECK(seen.at("path") == "/echo?q=1&r=%2F");
  CHECK(seen.at("body") == R"({"n":1})");
  CHECK(seen.at("headers").at("X-TaskMaster-Task-Id") == "01234567-89ab-7def-8123-456789abcdef");
  CHECK(seen.at("headers").at("X-TaskMaster-Attempt") == "3");
  CHECK(seen.at("headers").at("X-TaskMaster-Fence") == "001764000000000-000000000012");
  CHECK(seen.at("headers").at("user-agent") == "taskmaster");
  CHECK(seen.at("headers").at("content-type") == "application/json");
  CHECK(seen.at("headers").at("x-mine") == "yes");
  CHECK(seen.at("headers").count("x-taskmaster-fence") == 0);
}

TEST_CASE("a body that is a string is sent as it is") {
  server target;
  const auto r = call({{"url", target.url("/echo")}, {"body", "plain"}, {"headers", {{"Content-Type", "text/x"}}}});
  const auto seen = nlohmann::json::parse(json_of(r).at("body").get<std::string>());
  CHECK(seen.at("body") == "plain");
  CHECK(seen.at("headers").at("content-type") == "text/x");
}

TEST_CASE("another status fails, and a redirect is not followed") {
  server target;
  const auto bad = call({{"url", target.url("/bad")}});
  CHECK(bad.outcome == run_outcome::failed);
  CHECK(code_of(bad) == "http_status");
  CHECK(message_of(bad) == "the target answered 500 Internal Server Error");
  CHECK(json_of(bad).at("body") == "broken");
  CHECK_FALSE(bad.retry_after);
  const auto moved = call({{"url", target.url("/moved")}});
  CHECK(code_of(moved) == "http_status");
  CHECK(json_of(moved).at("status") == 302);
  CHECK(json_of(moved).at("headers").at("location") == "/hello");
}

TEST_CASE("a busy target says when to come back") {
  server target;
  const auto busy = call({{"url", target.url("/busy")}});
  CHECK(busy.outcome == run_outcome::failed);
  CHECK(busy.retry_after == duration(120s));
  const auto later = call({{"url", target.url("/later")}});
  CHECK(later.retry_after == duration(623s));
}

TEST_CASE("a connection that is refused is a fault of the connection") {
  // Bound and never listening, so nobody else can take the port meanwhile.
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const auto r = call({{"url", "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/"}});
  ::close(socket);
  CHECK(r.outcome == run_outcome::failed);
  CHECK(code_of(r) == "connect");
}

TEST_CASE("a target that is too slow runs into the timeout, silent or not") {
  server target;
  for (const auto* path : {"/mute", "/slow"}) {
    const auto r = call({{"url", target.url(path)}}, 200ms);
    CHECK(r.outcome == run_outcome::timeout);
    CHECK(code_of(r) == "timeout");
  }
}

TEST_CASE("a target that takes no connection runs into the timeout too") {
  // A full backlog: the kernel drops further connects without a word.
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(socket, 0) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ::connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  const auto r = call({{"url", "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/"}}, 200ms);
  CHECK(r.outcome == run_outcome::timeout);
  for (const int filler : fillers) ::close(filler);
  ::close(socket);
}

TEST_CASE("a cancelled request is cut") {
  server target;
  http_executor executor(2);
  std::vector<awaited_result> results(2);
  executor.start(an_execution("http", nlohmann::json{{"url", target.url("/mute")}}.dump(), 1), results[0].callback());
  executor.start(an_execution("http", nlohmann::json{{"url", target.url("/slow")}}.dump(), 2), results[1].callback());
  REQUIRE(eventually([&] { return target.slow == 2; }));
  executor.cancel(1);
  executor.cancel(2);
  for (auto& r : results) CHECK(r.get().outcome == run_outcome::cancelled);
  executor.stop();
  for (auto& r : results) CHECK(r.times() == 1);
}

TEST_CASE("stopping the executor cuts what is under way") {
  server target;
  http_executor executor(1);
  std::vector<awaited_result> results(3);
  for (std::size_t i = 0; i < results.size(); ++i)
    executor.start(an_execution("http", nlohmann::json{{"url", target.url("/mute")}}.dump(), i + 1), results[i].callback());
  REQUIRE(eventually([&] { return target.slow == 1; }));
  executor.stop();
  for (auto& r : results) CHECK(r.get().outcome == run_outcome::cancelled);
}

TEST_CASE("a large body is read to its end and cut to 64 KiB") {
  server target;
  const auto r = call({{"url", target.url("/big")}});
  CHECK(r.outcome == run_outcome::succeeded);
  const auto body = json_of(r).at("body").get<std::string>();
  CHECK(body.substr(65536) == "\n[cut: 4934464 bytes more]");
}

TEST_CASE("a payload that makes no sense as a request is refused and the field is named") {
  const auto [payload, field] = GENERATE(table<std::string, std::string>({
      {"{}", "/url is missing"},
      {R"({"url": 1})", "/url has to be a string"},
      {R"({"url": "ftp://h/"})", "/url has to start with"},
      {R"({"url": "example.org"})", "/url has to start with"},
      {R"({"url": "http://"})", "/url names no host"},
      {R"({"url": "http://u:p@h/"})", "/url contains a user name"},
      {R"({"url": "http://h:0/"})", "/url has a port"},
      {R"({"url": "http://h:99999/"})", "/url has a port"},
      {R"({"url": "http://[::1/"})", "/url has an address"},
      {R"({"url": "http://h/a b"})", "/url contains a space"},
      {R"({"url": "http://h/", "method": "BREW"})", "/method has to be one of"},
      {R"({"url": "http://h/", "headers": {"A": 1}})", "/headers/A has to be a string"},
      {R"({"url": "http://h/", "headers": {"A b": "1"}})", "/headers/A b is no header's name"},
      {R"({"url": "http://h/", "headers": {"A": "1\r\nB: 2"}})", "/headers/A contains a line break"},
      {R"({"url": "http://h/", "headers": {"Content-Length": "1"}})", "/headers/Content-Length is set by"},
      {R"({"url": "http://h/", "verb": "GET"})", "/verb is not a field"},
  }));
  http_executor executor(1);
  const auto r = run_to_end(executor, an_execution("http", payload));
  CHECK(r.outcome == run_outcome::refused);
  CHECK(code_of(r) == "payload");
  CAPTURE(payload, message_of(r));
  CHECK(message_of(r).find(field) != std::string::npos);
}

TEST_CASE("Retry-After is read as seconds or as any of HTTP's dates") {
  const auto now = *parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format_timestamp(now) == "1994-11-06T08:49:37.000000Z");
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == now);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == now);
  CHECK(parse_retry_after(" 5 ", now) == duration(5s));
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:50:00 GMT", now) == duration(23s));
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now) == duration(0s));
  CHECK(parse_retry_after("99999999999999999999", now) == duration(365 * 24h));
  for (const auto* bad : {"", "soon", "-1", "1.5", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT"})
    CHECK_FALSE(parse_retry_after(bad, now));
}
