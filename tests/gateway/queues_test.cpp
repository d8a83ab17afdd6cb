// /v1/queues and explain over HTTP, QueueService and Explain over gRPC.
#include "gateway/queue_json.hpp"
#include "gateway/queue_proto.hpp"
#include "gateway/queue_service.hpp"
#include "tests/catch.hpp"
#include "tests/gateway/fake_scheduler.hpp"
#include "tests/gateway/http_fixture.hpp"

#include "taskmaster/v1/queue.grpc.pb.h"
#include "taskmaster/v1/task.grpc.pb.h"

#include <grpcpp/grpcpp.h>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

expected<queue_change> read(const std::string& text) { return read_queue_change(json_view(text), "mail"); }

} // namespace

TEST_CASE("a queue's change is read strictly, every fault at once; null is the default and what is left out stays") {
  const std::string good = R"({"paused": true, "concurrency": null, "rate": {"limit": 5}, "weight": 0.5, "paused_keys": ["a", "b"]})";
  const auto c = read(good);
  REQUIRE(c);
  CHECK(c->name == "mail");
  CHECK(c->paused == true);
  CHECK(c->reset == std::set<std::string>{"concurrency"});
  CHECK(c->rate == rate_limit{5, std::chrono::seconds(1), 5});
  CHECK(c->weight == 0.5);
  CHECK(c->paused_keys == std::set<std::string>{"a", "b"});
  CHECK_FALSE(c->key_concurrency);

  const std::string bad = R"({"paused": "yes", "concurrency": 1.5, "rate": {"period": "soon"}, "speed": 1, "paused_kinds": [1]})";
  const auto faults = read(bad);
  REQUIRE_FALSE(faults);
  CHECK(faults.failure().code == ec::invalid_argument);
  std::set<std::string> fields;
  for (const auto& f : faults.failure().faults) fields.insert(f.field);
  CHECK(fields == std::set<std::string>{"/paused", "/concurrency", "/rate/period", "/speed", "/paused_kinds"});

  const std::string over = R"({"concurrency": 0, "key_rate": {"limit": 1, "period": "2d", "burst": 1}, "weight": 0})";
  const auto rules = read(over);
  REQUIRE_FALSE(rules);
  CHECK(rules.failure().code == ec::unprocessable);
  CHECK(rules.failure().faults.size() == 3);
}

TEST_CASE("a change and settings survive the way over protobuf") {
  queue_change c;
  c.name = "mail";
  c.reset = {"weight"};
  c.paused = false;
  c.rate = rate_limit{5, std::chrono::milliseconds(1'500), 6};
  c.paused_kinds = {"k"};
  c.resume_keys = {"x"};
  v1::QueueChange wire;
  write_change(wire, c);
  const auto back = read_change(wire);
  REQUIRE(back);
  queue_settings before;
  before.weight = 9;
  before.paused_kinds = {"old"};
  before.paused_keys = {"x", "y"};
  CHECK(*changed(before, *back) == *changed(before, c));
  v1::QueueSettings out;
  const auto after = *changed(before, c);
  write_settings(out, after);
  CHECK(read_settings(out, "mail") == after);
}

TEST_CASE("queues and explain over HTTP") {
  http_fixture f;
  CHECK(f.get("/v1/queues/mail").status == 404);
  const auto put = [&](const std::string& body) { return f.send("PUT", "/v1/queues/mail", body); };
  auto answer = put(R"({"concurrency": 2, "rate": {"limit": 5, "period": "1m", "burst": 9}})");
  CHECK(answer.status == 200);
  auto json = answer.json;
  CHECK(json["concurrency"] == 2);
  CHECK(json["rate"] == nlohmann::json::parse(R"({"limit": 5, "period": "1m", "burst": 9})"));
  answer = put(R"({"concurrency": 0})");
  CHECK(answer.status == 422);
  answer = f.send("PUT", "/v1/queues/NO", "{}");
  CHECK(answer.status == 400);
  CHECK(f.post("/v1/queues/mail/pause", "").status == 200);
  CHECK(f.post("/v1/queues/mail/pause", R"({"key": "a"})").status == 200);
  CHECK(f.post("/v1/queues/mail/pause", R"({"who": "a"})").status == 400);
  json = f.get("/v1/queues/mail").json;
  CHECK(json["paused"] == true);
  CHECK(json["paused_keys"] == nlohmann::json::array({"a"}));
  CHECK(json["concurrency"] == 2);
  CHECK(f.post("/v1/queues/mail/resume", R"({"key": "a"})").status == 200);
  CHECK(f.get("/v1/queues/mail").json["paused_keys"].empty());

  const auto id = *uuid::parse("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  CHECK(f.get("/v1/tasks/" + id.str() + "/explain").status == 404);
  f.node.tell([&](script& s) {
    s.tasks[id].task.id = id;
    s.why = {task_state::ready, {{"limit", "two run", {}, {id}}, {"not_due", "later", fixed_now(), {}}}};
  });
  json = f.get("/v1/tasks/" + id.str() + "/explain").json;
  CHECK(json == nlohmann::json::parse(R"({"state": "ready", "reasons": [
    {"code": "limit", "detail": "two run", "until": null, "waits_for": ["01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1"]},
    {"code": "not_due", "detail": "later", "until": "2030-01-01T00:00:00.000000Z", "waits_for": []}]})"));
}

TEST_CASE("queues and explain over gRPC") {
  fake_node node;
  auto queues = make_queue_service(node.system, node.scheduler);
  auto tasks = make_task_service(node.system, node.scheduler);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(queues.get());
  builder.RegisterService(tasks.get());
  auto server = builder.BuildAndStart();
  const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  const auto q = v1::QueueService::NewStub(channel);
  const auto t = v1::TaskService::NewStub(channel);
  {
    grpc::ClientContext c;
    v1::QueueChange change;
    change.set_name("mail");
    change.set_concurrency(3);
    change.add_pause_kinds("sms");
    v1::QueueState state;
    REQUIRE(q->SetQueue(&c, change, &state).ok());
    CHECK(state.settings().concurrency() == 3);
    CHECK(state.settings().paused_kinds(0) == "sms");
  }
  {
    grpc::ClientContext c;
    v1::QueueChange change;
    change.set_name("mail");
    change.set_concurrency(-3);
    v1::QueueState state;
    CHECK_FALSE(q->SetQueue(&c, change, &state).ok());
  }
  {
    grpc::ClientContext c;
    v1::GetQueueRequest request;
    request.set_name("nope");
    v1::QueueState state;
    CHECK(q->GetQueue(&c, request, &state).error_code() == grpc::StatusCode::NOT_FOUND);
  }
  const auto id = *uuid::parse("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  node.tell([&](script& s) {
    s.tasks[id].task.id = id;
    s.why = {task_state::ready, {{"rate", "soon", fixed_now(), {id}}}};
  });
  grpc::ClientContext c;
  v1::ExplainRequest request;
  request.set_id(id.str());
  v1::ExplainResponse why;
  REQUIRE(t->Explain(&c, request, &why).ok());
  CHECK(why.state() == v1::STATE_READY);
  REQUIRE(why.reasons_size() == 1);
  const auto back = read_reasons(why.reasons());
  CHECK(back[0].code == "rate");
  CHECK(back[0].until == fixed_now());
  CHECK(back[0].waits_for == std::vector<uuid>{id});
  server->Shutdown();
}
