// Event streams over real sockets: server-sent events, and EventService over gRPC.
#include "gateway/event_proto.hpp"
#include "gateway/event_query.hpp"
#include "gateway/event_service.hpp"
#include "gateway/grpc_server.hpp"
#include "tests/catch.hpp"
#include "tests/gateway/http_fixture.hpp"
#include "tests/gateway/raw_client.hpp"

#include "taskmaster/v1/event.grpc.pb.h"

#include <future>
#include <sys/socket.h>
#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

task_event event_of(int n, task_state state = task_state::succeeded, const std::string& queue = "default") {
  task_event e;
  e.task = *uuid::parse("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  e.task.bytes[15] = static_cast<std::uint8_t>(n);
  e.state = state;
  e.attempt = n;
  e.at = fixed_now();
  e.where = std::make_shared<const bucket_key>(bucket_key{queue, "echo", 0});
  return e;
}

void happen(fake_node& node, int n, task_state state = task_state::succeeded, const std::string& queue = "default") {
  node.tell([&](script& s) { s.events.append(event_of(n, state, queue)); });
}

std::string request(const std::string& query = "", const std::string& headers = "") {
  return "GET /v1/events" + query + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}

struct stream_fixture : http_fixture {
  explicit stream_fixture(const std::function<void(http_gateway_options&)>& change = {}) : http_fixture(change) {
    node.tell([](script& s) { s.events.begin({5, 0}); });
  }
  std::uint16_t port() const { return gateway.port(); }
};

bool soon(const std::function<bool()>& what) {
  for (int i = 0; i < 500; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

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

namespace {

struct grpc_streams {
  explicit grpc_streams(event_service_options o = {}) {
    node.tell([](script& s) { s.events.begin({5, 0}); });
    std::vector<std::unique_ptr<grpc::Service>> services;
    services.push_back(make_event_service(node.system, node.scheduler, o));
    auto started = taskmaster::grpc_server::start("127.0.0.1:0", std::move(services));
    REQUIRE(started);
    server = std::move(*started);
    stub = v1::EventService::NewStub(grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  }
  fake_node node;
  std::unique_ptr<taskmaster::grpc_server> server;
  std::unique_ptr<v1::EventService::Stub> stub;
};

} // namespace

TEST_CASE("the gRPC stream has the same events, resumes, and tells a gap") {
  grpc_streams f;
  for (int n = 1; n <= 2; ++n) happen(f.node, n);
  grpc::ClientContext context;
  v1::WatchRequest what;
  what.set_last_event_id("4-9");
  what.add_states(v1::STATE_SUCCEEDED);
  auto stream = f.stub->Watch(&context, what);
  v1::Event e;
  REQUIRE(stream->Read(&e));
  CHECK(e.gap().after() == "4-9");
  CHECK(e.event_id() == "5-0");
  REQUIRE(stream->Read(&e));
  CHECK(e.event_id() == "5-1");
  CHECK(e.task().attempt() == 1);
  CHECK(e.task().state() == v1::STATE_SUCCEEDED);
  CHECK(e.task().at().seconds() == 1893456000);
  REQUIRE(stream->Read(&e));
  CHECK(e.event_id() == "5-2");
  happen(f.node, 3, task_state::failed);
  REQUIRE(stream->Read(&e)); // only its place
  happen(f.node, 4);
  while (!e.has_task() || e.task().attempt() != 4) REQUIRE(stream->Read(&e));
  CHECK(e.event_id() == "5-4");
  context.TryCancel();
  CHECK(stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
}

TEST_CASE("gRPC streams are bounded, refuse what they cannot read, and end when the server leaves") {
  event_service_options o;
  o.max_streams = 1;
  grpc_streams f(o);
  grpc::ClientContext c0, c1, c2;
  v1::Event e;
  v1::WatchRequest bad;
  bad.add_queues("Bad Name");
  bad.set_last_event_id("x");
  const auto refused = f.stub->Watch(&c0, bad)->Finish();
  CHECK(refused.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  auto first = f.stub->Watch(&c1, {});
  REQUIRE(first->Read(&e));
  CHECK(e.what_case() == v1::Event::WHAT_NOT_SET);
  CHECK(e.event_id() == "5-0");
  const auto second = f.stub->Watch(&c2, {})->Finish();
  CHECK(second.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(second.error_message().find("1 event streams are open") != std::string::npos);
  auto ended = std::async(std::launch::async, [&] {
    while (first->Read(&e)) {}
    return first->Finish();
  });
  f.server->stop();
  CHECK(ended.get().error_code() == grpc::StatusCode::UNAVAILABLE);
}

TEST_CASE("a gRPC reader that takes nothing is cut") {
  event_service_options o;
  o.silence = 300ms;
  grpc_streams f(o);
  grpc::ClientContext context;
  auto stream = f.stub->Watch(&context, {});
  v1::Event e;
  REQUIRE(stream->Read(&e));
  CHECK(soon([&] {
    f.node.tell([](script& s) {
      for (int n = 0; n < 500; ++n) s.events.append(event_of(n));
    });
    return false;
  }) == false); // five seconds of more than flow control lets through
  std::size_t read = 0;
  while (stream->Read(&e)) ++read;
  CHECK(read < 100'000);
  CHECK_FALSE(stream->Finish().ok());
}
