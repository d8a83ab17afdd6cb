// Event streams over gRPC: EventService on a real server.
#include "gateway/event_service.hpp"
#include "gateway/grpc_server.hpp"
#include "tests/catch.hpp"
#include "tests/gateway/event_script.hpp"

#include "taskmaster/v1/event.grpc.pb.h"

#include <future>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

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
  o.max_streams = 1;
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
  CHECK(soon([&] { // its place is free although it still reads nothing
    grpc::ClientContext another;
    const auto next = f.stub->Watch(&another, {});
    v1::Event first;
    const bool inside = next->Read(&first);
    another.TryCancel();
    next->Finish();
    return inside;
  }));
  std::size_t read = 0;
  while (stream->Read(&e)) ++read;
  CHECK(read < 100'000);
  CHECK_FALSE(stream->Finish().ok());
}
