// /v1/schedules over HTTP, ScheduleService over gRPC, and the link between scheduler and coordinator.
#include "gateway/schedule_json.hpp"
#include "gateway/schedule_proto.hpp"
#include "gateway/schedule_service.hpp"
#include "tests/catch.hpp"
#include "tests/gateway/fake_scheduler.hpp"
#include "tests/gateway/http_fixture.hpp"

#include "taskmaster/v1/schedule.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <set>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

const std::string nightly = R"({"cron": "30 3 * * *", "timezone": "Europe/Berlin", "jitter": "5m", "overlap": "skip", "misfire": "all",
  "misfire_window": "2h", "dst": {"gap": "skip", "overlap": "both"}, "starts_at": "2030-01-01T00:00:00Z", "ends_at": null,
  "task": {"kind": "report", "payload": {"n": 123456789012345678901234567890}, "labels": {"team": "mail"}}})";

expected<schedule_command> read(const std::string& text) { return read_schedule(json_view(text), "nightly", fixed_now()); }

std::set<std::string> fields(const error& e) {
  std::set<std::string> out;
  for (const auto& f : e.faults) out.insert(f.field);
  return out;
}

} // namespace

TEST_CASE("a schedule is read strictly, every fault at once, the task's under /task") {
  const auto c = read(nightly);
  REQUIRE(c);
  CHECK(c->spec.when.cron == "30 3 * * *");
  CHECK(c->spec.overlap == overlap_policy::skip);
  CHECK_FALSE(c->spec.when.gap_shift);
  CHECK(c->spec.when.overlap_both);
  CHECK_FALSE(c->paused);
  CHECK(c->spec.task.payload == R"({"n":123456789012345678901234567890})");

  const std::string bad = R"({"cron": "61 * * * *", "every": 5, "timezone": "Nowhere/At_all", "overlap": "sometimes", "dst": {"gap": 1, "x": 2}, "crom": "",
    "version": 2, "paused": "no", "starts_at": "soon", "task": {"kind": "k", "run_at": "2031-01-01T00:00:00Z", "priorty": 1}})";
  const auto faults = read(bad);
  REQUIRE_FALSE(faults);
  CHECK(faults.failure().code == ec::invalid_argument);
  const auto told = fields(faults.failure());
  for (const char* field : {"/every", "/cron", "/timezone", "/overlap", "/dst/gap", "/dst/x", "/crom", "/version", "/paused", "/starts_at", "/task/priorty"})
    CHECK(told.contains(field));
  const std::string none = R"({"cron": "* * * * *"})", times = R"({"cron": "* * * * *", "task": {"kind": "k", "delay": "1s"}})";
  CHECK(fields(read(none).failure()) == std::set<std::string>{"/task"});
  CHECK(fields(read(times).failure()) == std::set<std::string>{"/task/delay"});
  const std::string rule = R"({"rrule": "FREQ=DAILY;BYHOUR=25", "task": {"kind": "k"}})";
  const auto hour = read(rule);
  CHECK(fields(hour.failure()) == std::set<std::string>{"/rrule"});
  CHECK(hour.failure().faults[0].detail.find("BYHOUR has '25'; it takes 0 to 23") != std::string::npos);
}

TEST_CASE("schedules over HTTP: put, get, list, pause, preview, delete") {
  http_fixture f;
  CHECK(f.get("/v1/schedules/nightly").status == 404);
  auto put = [&](const std::string& body) { return f.send("PUT", "/v1/schedules/nightly", body); };
  auto answer = put(nightly);
  CHECK(answer.status == 201);
  CHECK(answer.location == "/v1/schedules/nightly");
  auto json = answer.json;
  CHECK(json["name"] == "nightly");
  CHECK(json["version"] == 1);
  CHECK(json["cron"] == "30 3 * * *");
  CHECK(json["rrule"].is_null());
  CHECK(json["next_at"] == "2030-01-01T02:30:00.000000Z");
  CHECK(json["misfire_window"] == "2h");
  CHECK(json["dst"] == nlohmann::json({{"gap", "skip"}, {"overlap", "both"}}));
  CHECK(json["task"]["labels"]["team"] == "mail");
  CHECK(json["warnings"].empty());
  CHECK(answer.body.find("123456789012345678901234567890") != std::string::npos);
  CHECK(put(nightly).status == 200);
  CHECK(put(R"({"cron": "* * * *", "task": {"kind": "k"}})").fault_field() == "/cron");

  // An impossible date is taken and said.
  answer = f.send("PUT", "/v1/schedules/never", R"({"cron": "0 0 30 2 *", "task": {"kind": "k"}})");
  CHECK(answer.status == 201);
  CHECK(answer.json["next_at"].is_null());
  CHECK(answer.json["warnings"][0].get<std::string>().find("no year has") != std::string::npos);

  CHECK(f.get("/v1/schedules").json["schedules"].size() == 2);
  CHECK(f.get("/v1/schedules?limit=0").status == 400);
  CHECK(f.get("/v1/schedules?limit=1001").status == 422);
  CHECK(f.get("/v1/schedules?x=1").fault_field() == "/x");
  CHECK(f.post("/v1/schedules/nightly/pause", "").json["paused"] == true);
  CHECK(f.post("/v1/schedules/nightly/resume", "{}").json["paused"] == false);

  answer = f.get("/v1/schedules/nightly/preview?count=2");
  CHECK(answer.json["instants"] == nlohmann::json({"2030-01-01T02:30:00.000000Z", "2030-01-02T02:30:00.000000Z"}));
  CHECK(f.get("/v1/schedules/nightly/preview").json["instants"].size() == 10);
  CHECK(f.get("/v1/schedules/nightly/preview?count=1001").status == 422);
  CHECK(f.get("/v1/schedules/nightly/preview?count=x").fault_field() == "/count");
  CHECK(f.get("/v1/schedules/never/preview").json["warnings"].size() == 1);
  answer = f.post("/v1/schedules/preview?count=1", R"({"rrule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0;BYSECOND=0", "task": {"kind": "k"}})");
  CHECK(answer.json["instants"] == nlohmann::json({"2030-01-25T17:00:00.000000Z"}));

  CHECK(f.send("DELETE", "/v1/schedules/nightly").status == 200);
  CHECK(f.get("/v1/schedules/nightly").status == 404);
  CHECK(f.send("PATCH", "/v1/schedules/nightly", "{}").status == 405);
}

TEST_CASE("a schedule's task is shown with its rarer properties") {
  schedule_record r;
  r.spec.name = "s";
  r.spec.when.every = 10s;
  r.spec.task.kind = "k";
  json_writer plain, with;
  write_schedule(plain, r);
  CHECK_FALSE(nlohmann::json::parse(plain.text())["task"].contains("group"));
  r.spec.task.options.group = "g";
  write_schedule(with, r);
  CHECK(nlohmann::json::parse(with.text())["task"]["group"] == "g");
}

TEST_CASE("trigger, backfill and the ledger over HTTP") {
  http_fixture f;
  f.send("PUT", "/v1/schedules/s", R"({"every": "10m", "task": {"kind": "k", "labels": {"a": "b"}}})");
  task t;
  t.id = *uuid::parse("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  t.kind = "k";
  t.payload = std::make_shared<const std::string>("null");
  t.run_at = t.created_at = fixed_now();
  f.node.tell([&](script& s) {
    s.run_tasks = {t};
    s.ledger = {{{fixed_now(), fixed_now() + 1h, 7, "paused"}, fixed_now()}};
    s.next_cursor = "c";
  });
  auto answer = f.post("/v1/schedules/s/trigger", "");
  CHECK(answer.status == 201);
  CHECK(answer.location == "/v1/tasks/" + t.id.str());
  CHECK(answer.json["labels"]["a"] == "b");
  CHECK(f.post("/v1/schedules/s/trigger", R"({"overlap": "skip"})").fault_field() == "/overlap");
  CHECK(f.post("/v1/schedules/s/trigger", R"({"from": "2029-01-01T00:00:00Z"})").fault_field() == "/from");
  f.post("/v1/schedules/s/trigger", R"({"overlap": "allow"})");
  f.node.tell([&](script& s) { CHECK(s.commands.back().beside_unfinished); });

  answer = f.post("/v1/schedules/s/backfill", R"({"from": "2029-12-01T00:00:00Z", "until": "2029-12-02T00:00:00Z"})");
  CHECK(answer.json == nlohmann::json({{"matched", 2}, {"submitted", 1}}));
  CHECK(f.post("/v1/schedules/s/backfill", R"({"from": "2029-12-01T00:00:00Z"})").fault_field() == "/until");
  CHECK(f.post("/v1/schedules/s/backfill", R"({"from": "2029-12-03T00:00:00Z", "until": "2029-12-02T00:00:00Z"})").fault_field() == "/until");
  CHECK(f.post("/v1/schedules/s/backfill", R"({"from": "2029-12-03T00:00:00Z", "until": "2030-12-02T00:00:00Z"})").fault_field() == "/until");
  CHECK(f.post("/v1/schedules/nobody/trigger", "").status == 404);

  answer = f.get("/v1/schedules/s/ledger?limit=5&cursor=x");
  CHECK(answer.json["next_cursor"] == "c");
  CHECK(answer.json["ledger"][0]["count"] == 7);
  CHECK(answer.json["ledger"][0]["reason"] == "paused");
  f.node.tell([&](script& s) {
    CHECK(s.queries.back().limit == 5);
    CHECK(s.queries.back().cursor == "x");
  });
}

TEST_CASE("what the API's description says of a schedule is what is written") {
  http_fixture f;
  const auto doc = f.get("/openapi.json").json;
  CHECK(doc["paths"]["/v1/schedules/{name}"].contains("put"));
  f.send("PUT", "/v1/schedules/nightly", nightly);
  const auto shown = f.get("/v1/schedules/nightly").json;
  std::set<std::string> described, written;
  for (const auto& [name, _] : doc["components"]["schemas"]["Schedule"]["properties"].items()) described.insert(name);
  for (const auto& [name, _] : shown.items()) written.insert(name);
  CHECK(described == written);
}

TEST_CASE("a schedule survives the link between scheduler and coordinator") {
  const auto c = read(nightly);
  REQUIRE(c);
  auto sent = *c;
  sent.paused = true;
  const auto back = command_of(order_of(sent));
  REQUIRE(back);
  CHECK(back->name == "nightly");
  CHECK(digest(back->spec) == digest(c->spec));
  CHECK(back->paused == true);
  schedule_command fill;
  fill.what = schedule_command::verb::backfill;
  fill.name = "s";
  fill.from = fixed_now();
  fill.until = fixed_now() + 1h;
  fill.beside_unfinished = true;
  const auto filled = command_of(order_of(fill));
  REQUIRE(filled);
  CHECK(filled->from == fill.from);
  CHECK(filled->until == fill.until);
  CHECK(filled->beside_unfinished);

  schedule_outcome o;
  o.schedule.spec = c->spec;
  o.schedule.version = 3;
  o.schedule.state = {fixed_now(), fixed_now() - 1h, fixed_now() - 2h, true, 9};
  o.schedule.created_at = fixed_now();
  o.schedule.updated_at = fixed_now();
  o.schedule.tzdata = "2030a";
  o.created = true;
  o.matched = 5;
  v1::ScheduleOrderAnswer wire;
  put_outcome(o, wire);
  const auto got = outcome_of(wire);
  REQUIRE(got);
  CHECK(got->schedule.state == o.schedule.state);
  CHECK(got->schedule.version == 3);
  CHECK(digest(got->schedule.spec) == digest(c->spec));
  CHECK(got->matched == 5);
}

TEST_CASE("schedules over gRPC") {
  fake_node node;
  task_service_options options;
  options.now = fixed_now;
  auto service = make_schedule_service(node.system, node.scheduler, options);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service.get());
  auto server = builder.BuildAndStart();
  const auto stub = v1::ScheduleService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  v1::PutScheduleRequest put;
  auto& spec = *put.mutable_spec();
  spec.set_name("s");
  spec.mutable_every()->set_seconds(600);
  spec.set_overlap(v1::OVERLAP_BUFFER_ONE);
  spec.mutable_task()->set_kind("k");
  spec.mutable_task()->set_payload("{\"a\": 1}");
  v1::Schedule made;
  {
    grpc::ClientContext c;
    REQUIRE(stub->PutSchedule(&c, put, &made).ok());
    CHECK(made.spec().overlap() == v1::OVERLAP_BUFFER_ONE);
    CHECK(made.spec().misfire() == v1::MISFIRE_ONE);
    CHECK(made.spec().task().payload() == "{\"a\":1}");
    CHECK(made.next_at().seconds() == fixed_now().time_since_epoch() / 1s + 600);
  }
  {
    grpc::ClientContext c;
    auto bad = put;
    bad.mutable_spec()->set_timezone("Mars/Olympus");
    const auto status = stub->PutSchedule(&c, bad, &made);
    CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK(status.error_message().find("Mars/Olympus") != std::string::npos);
  }
  {
    grpc::ClientContext c;
    v1::PreviewScheduleRequest request;
    *request.mutable_spec() = put.spec();
    request.set_count(3);
    v1::PreviewScheduleResponse preview;
    REQUIRE(stub->PreviewSchedule(&c, request, &preview).ok());
    CHECK(preview.instants_size() == 3);
  }
  {
    grpc::ClientContext c;
    v1::ScheduleName name;
    name.set_name("s");
    REQUIRE(stub->PauseSchedule(&c, name, &made).ok());
    CHECK(made.paused());
    grpc::ClientContext c2;
    name.set_name("nobody");
    CHECK(stub->GetSchedule(&c2, name, &made).error_code() == grpc::StatusCode::NOT_FOUND);
  }
  {
    grpc::ClientContext c;
    v1::ListSchedulesResponse list;
    REQUIRE(stub->ListSchedules(&c, {}, &list).ok());
    CHECK(list.schedules_size() == 1);
    grpc::ClientContext c2;
    v1::DeleteScheduleResponse gone;
    v1::ScheduleName name;
    name.set_name("s");
    CHECK(stub->DeleteSchedule(&c2, name, &gone).ok());
  }
  server->Shutdown();
}
