// Event streams over real sockets: server-sent events.
#include "gateway/event_proto.hpp"
#include "gateway/event_query.hpp"
#include "tests/catch.hpp"
#include "tests/gateway/event_script.hpp"
#include "tests/gateway/http_fixture.hpp"
#include "tests/gateway/raw_client.hpp"

#include <sys/socket.h>
#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

std::string request(const std::string& query = "", const std::string& headers = "") {
  return "GET /v1/events" + query + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}

struct stream_fixture : http_fixture {
  explicit stream_fixture(const std::function<void(http_gateway_options&)>& change = {}) : http_fixture(change) {
    node.tell([](script& s) { s.events.begin({5, 0}); });
  }
  std::uint16_t port() const { return gateway.port(); }
};

} // namespace

TEST_CASE("a stream begins now, tells each event as it comes, and its connection says what it is") {
  stream_fixture f;
  happen(f.node, 9); // before
  raw_client c(f.port());
  c.send(request());
  const auto head = c.read_until("\r\n\r\n");
  CHECK(status_of_response(head) == 200);
  CHECK(head.find("Content-Type: text/event-stream\r\n") != std::string::npos);
  CHECK(head.find("Content-Length") == std::string::npos);
  CHECK(c.read_until("\n\n") == ":\nid: 5-1\n\n"); // where it would resume
  happen(f.node, 2, task_state::running, "mail");
  CHECK(c.read_until("\n\n") == "id: 5-2\nevent: task\ndata: {\"id\":\"01914c3e-9d1b-7c5f-8a44-0c8fd5b2a702\",\"state\":\"running\",\"queue\":\"mail\","
                                "\"kind\":\"echo\",\"attempt\":2,\"at\":\"2030-01-01T00:00:00.000000Z\"}\n\n");
}

TEST_CASE("Last-Event-ID resumes without a hole, and one too old has a gap first") {
  stream_fixture f;
  for (int n = 1; n <= 3; ++n) happen(f.node, n);
  raw_client c(f.port());
  c.send(request("", "Last-Event-ID: 5-1\r\n"));
  c.read_until("\r\n\r\n");
  CHECK(c.read_until("\n\n").starts_with("id: 5-2\nevent: task\n"));
  CHECK(c.read_until("\n\n").starts_with("id: 5-3\nevent: task\n"));
  raw_client late(f.port());
  late.send(request("", "Last-Event-ID: 4-77\r\n"));
  late.read_until("\r\n\r\n");
  CHECK(late.read_until("\n\n").starts_with("id: 5-0\nevent: gap\ndata: {\"after\":\"4-77\","));
  CHECK(late.read_until("\n\n").starts_with("id: 5-1\nevent: task\n"));
}

TEST_CASE("a stream takes what its filter names, and keeps its place beside it") {
  stream_fixture f([](http_gateway_options& o) { o.heartbeat = 50ms; });
  raw_client c(f.port());
  c.send(request("?queue=mail&queue=sms&state=failed", "Last-Event-ID: 5-0\r\n"));
  c.read_until("\r\n\r\n");
  happen(f.node, 1, task_state::failed, "other");
  happen(f.node, 2, task_state::running, "mail");
  std::string quiet;
  while (quiet != ":\nid: 5-2\n\n" && !(quiet = c.read_until("\n\n")).empty()) {}
  CHECK(quiet == ":\nid: 5-2\n\n");
  happen(f.node, 3, task_state::failed, "sms");
  std::string next;
  do next = c.read_until("\n\n");
  while (next.starts_with(":"));
  CHECK(next.starts_with("id: 5-3\n"));
}

TEST_CASE("what cannot be asked of a stream is refused with every fault") {
  stream_fixture f;
  const auto r = f.get("/v1/events?queue=Bad%20Name&state=done&label=x&task_id=7&page=2");
  CHECK(r.status == 400);
  CHECK(r.json["errors"].size() == 5);
  CHECK(f.send("GET", "/v1/events", "", {{"Last-Event-ID", "yesterday"}}).status == 400);
  std::string many = "?";
  for (int i = 0; i < 1'001; ++i) many += "task_id=" + uuid::make(fixed_now()).str() + "&";
  query_parameters query;
  for (int i = 0; i < 1'001; ++i) query.emplace_back("task_id", uuid::make(fixed_now()).str());
  const auto over = read_event_query(query, "");
  REQUIRE_FALSE(over);
  CHECK(over.failure().code == ec::unprocessable);
  CHECK(f.post("/v1/events", "{}").status == 405);
  CHECK(f.send("HEAD", "/v1/events").status == 200); // ends at once
}

TEST_CASE("streams take no thread from ordinary requests, and their number is bounded") {
  stream_fixture f([](http_gateway_options& o) {
    o.threads = 2;
    o.max_streams = 20;
  });
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<raw_client>(f.port()));
    clients.back()->send(request());
    CHECK(status_of_response(clients.back()->read_until("\r\n\r\n")) == 200);
  }
  const auto full = f.get("/v1/events");
  CHECK(full.status == 429);
  CHECK(full.retry_after == "5");
  CHECK(full.json["detail"].get<std::string>().starts_with("20 event streams are open"));
  CHECK(f.get("/healthz").status == 200);
  clients.pop_back(); // one leaves: its place is free without anything having happened
  CHECK(soon([&] {
    raw_client c(f.port());
    c.send(request());
    return status_of_response(c.read_until("\r\n\r\n")) == 200;
  }));
}

TEST_CASE("a reader that takes nothing is cut, and others do not wait for it") {
  stream_fixture f;
  raw_client deaf(f.port()), other(f.port());
  for (auto* c : {&deaf, &other}) {
    c->send(request("", "Last-Event-ID: 4-0\r\n"));
    c->read_until("event: gap");
  }
  std::atomic<bool> over{false};
  std::thread busy([&] { // far more than sockets hold
    while (!over) {
      f.node.tell([](script& s) {
        for (int n = 0; n < 500; ++n) s.events.append(event_of(n));
      });
      std::this_thread::sleep_for(1ms);
    }
  });
  std::string last;
  const auto until = std::chrono::steady_clock::now() + 7s;
  while (std::chrono::steady_clock::now() < until) last = other.read_until("\n\n");
  over = true;
  busy.join();
  CHECK_FALSE(last.empty());
  // What was on its way is still there, then the end: it does not go on with events of now.
  const auto rest = deaf.read_all();
  CHECK(rest.size() < 16u << 20);
  CHECK(soon([&] { return !deaf.send("x"); })); // its side is closed
}

TEST_CASE("streams end at once when the gateway leaves") {
  stream_fixture f;
  raw_client a(f.port()), b(f.port());
  for (auto* c : {&a, &b}) {
    c->send(request());
    c->read_until("\n\n");
    c->read_until("\n\n");
  }
  const auto begun = std::chrono::steady_clock::now();
  f.gateway.stop();
  a.read_all();
  b.read_all();
  CHECK(std::chrono::steady_clock::now() - begun < 4s); // and not the five seconds that a read waits
}

TEST_CASE("a stream ends with its scheduler, so that its client looks elsewhere") {
  stream_fixture f;
  raw_client c(f.port());
  c.send(request());
  c.read_until("id: 5-0\n\n");
  f.node.kill_scheduler();
  CHECK(c.read_all().find("has stopped") != std::string::npos);
}

TEST_CASE("events survive the way between scheduler and coordinator") {
  event_page page;
  page.gap = true;
  page.from = {7, 3};
  page.next = {7, 5};
  page.end = {7, 9};
  page.events = {event_of(1), event_of(2, task_state::expired, "mail")};
  page.events[0].id = {7, 4};
  page.events[1].id = {7, 5};
  v1::EventsResponse wire;
  put_event_page(page, &wire);
  const auto back = event_page_of(wire);
  CHECK(back.gap);
  CHECK(back.from == page.from);
  CHECK(back.next == page.next);
  CHECK(back.end == page.end);
  REQUIRE(back.events.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(back.events[i].id == page.events[i].id);
    CHECK(back.events[i].task == page.events[i].task);
    CHECK(back.events[i].state == page.events[i].state);
    CHECK(back.events[i].attempt == page.events[i].attempt);
    CHECK(back.events[i].at == page.events[i].at);
    CHECK(*back.events[i].where == *page.events[i].where);
  }
  v1::EventsRequest asked;
  put_event_request({event_id{7, 3}, {}, 11}, 1'500ms, &asked);
  CHECK(event_request_of(asked).after == event_id{7, 3});
  CHECK(event_request_of(asked).most == 11);
  put_event_request({}, 1'500ms, &asked);
  CHECK_FALSE(event_request_of(asked).after);
}
