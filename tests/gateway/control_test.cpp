// Control of tasks at the HTTP door: changes by hand, unique keys, rates of retries; every fault with its field.
#include "gateway/task_proto.hpp"
#include "tests/catch.hpp"
#include "tests/gateway/http_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

std::string change(http_fixture& f, const std::string& body) {
  const auto r = f.send("PATCH", "/v1/tasks/" + f.submit(R"({"kind": "noop", "delay": "1h"})"), body);
  return std::to_string(r.status) + " " + r.fault_field();
}

std::string submit(http_fixture& f, const std::string& body) {
  const auto r = f.post("/v1/tasks", body);
  return std::to_string(r.status) + " " + r.fault_field();
}

std::string retry(http_fixture& f, const std::string& body) {
  const auto r = f.post("/v1/tasks/retry", body);
  return std::to_string(r.status) + " " + r.fault_field();
}

} // namespace

TEST_CASE("a change names what it changes, and null is the default") {
  http_fixture f;
  const auto id = f.submit(R"({"kind": "noop", "delay": "1h"})");
  const auto r = f.send("PATCH", "/v1/tasks/" + id, R"({"priority": 3, "payload": {"big": 123456789012345678901234567890}, "timeout": null,
    "retry": {"initial": "5s"}, "labels": {"a": "b"}, "heartbeat_timeout": "30s", "delay": "2h"})");
  REQUIRE(r.status == 200);
  CHECK(r.json["id"] == id);
  const auto& e = f.node.told->edits.at(0);
  CHECK(e.id.str() == id);
  CHECK(e.what.fields == std::set<std::string>{"priority", "payload", "timeout", "retry.initial", "labels", "heartbeat_timeout", "delay"});
  CHECK(e.what.to.priority == 3);
  CHECK(e.what.to.payload == R"({"big":123456789012345678901234567890})");
  CHECK(e.what.to.timeout == duration{0});
  CHECK(e.what.to.retry.initial == 5s);
  CHECK(e.what.to.options.heartbeat_timeout == 30s);
  CHECK(e.what.to.delay == 2h);
}

TEST_CASE("a change of what cannot be changed, or to what cannot be, is refused with the field") {
  http_fixture f;
  CHECK(change(f, "{}") == "400 ");
  CHECK(change(f, "[]") == "400 ");
  CHECK(change(f, R"({"kind": "echo"})") == "400 /kind");
  CHECK(change(f, R"({"delivery": "at_most_once"})") == "400 /delivery");
  CHECK(change(f, R"({"unique_key": "k"})") == "400 /unique_key");
  CHECK(change(f, R"({"state": "failed"})") == "400 /state");
  CHECK(change(f, R"({"priorty": 1})") == "400 /priorty");
  CHECK(change(f, R"({"run_at": null})") == "400 /run_at");
  CHECK(change(f, R"({"run_at": "2030-01-01T00:00:00Z", "delay": "1s"})") == "400 /delay");
  CHECK(change(f, R"({"priority": 10})") == "422 /priority");
  CHECK(change(f, R"({"retry": {"factor": 0}})") == "422 /retry/factor");
  CHECK(change(f, R"({"retry": {"often": true}})") == "400 /retry/often");
  CHECK(change(f, R"({"heartbeat_timeout": "10ms"})") == "422 /heartbeat_timeout");
  CHECK(change(f, "{\"payload\": \"" + std::string(1 << 20, 'x') + "\"}") == "413 /payload");
  CHECK(change(f, R"({"queue": "Bad Queue"})") == "400 /queue");
  CHECK(f.node.told->edits.empty());
  CHECK(f.send("PATCH", "/v1/tasks/none", R"({"priority": 1})").status == 400);
  const auto id = f.submit();
  f.node.tell([&](script& s) { s.tasks.at(*uuid::parse(id)).state = task_state::succeeded; });
  CHECK(f.send("PATCH", "/v1/tasks/" + id, R"({"priority": 1})").status == 409);
}

TEST_CASE("a unique key has a scope, a period and a policy") {
  http_fixture f;
  const auto r = f.post("/v1/tasks", R"({"kind": "noop", "unique": {"key": "k", "scope": "for_period", "period": "10m", "policy": "replace"}})");
  REQUIRE(r.status == 201);
  const auto& spec = f.node.told->submitted.back();
  CHECK(spec.unique_key == "k");
  CHECK(spec.options.scope == unique_scope::for_period);
  CHECK(spec.options.unique_period == 10min);
  CHECK(spec.options.policy == unique_policy::replace);
  CHECK(f.post("/v1/tasks", R"({"kind": "noop", "unique_key": "other"})").json["unique"] ==
        nlohmann::json{{"key", "other"}, {"scope", "until_finished"}, {"policy", "return_first"}, {"period", nullptr}});
  CHECK(submit(f, R"({"kind": "noop", "unique": {"scope": "while_waiting"}})") == "400 /unique/key");
  CHECK(submit(f, R"({"kind": "noop", "unique": {"key": "k", "scope": "sometimes"}})") == "400 /unique/scope");
  CHECK(submit(f, R"({"kind": "noop", "unique": {"key": "k", "policy": "ask"}})") == "400 /unique/policy");
  CHECK(submit(f, R"({"kind": "noop", "unique": {"key": "k", "scope": "for_period"}})") == "400 /unique/period");
  CHECK(submit(f, R"({"kind": "noop", "unique": {"key": "k", "period": "1h"}})") == "400 /unique/period");
  CHECK(submit(f, R"({"kind": "noop", "unique": {"key": "k"}, "unique_key": "k"})") == "400 /unique");
  CHECK(submit(f, R"({"kind": "noop", "unique": {"key": "k", "for": "1h"}})") == "400 /unique/for");
  CHECK(submit(f, R"({"kind": "noop", "unique": "k"})") == "400 /unique");
  CHECK(submit(f, R"({"kind": "noop", "heartbeat_timeout": "31d"})") == "422 /heartbeat_timeout");
}

TEST_CASE("dead letters are named by their reason and run again at a rate") {
  http_fixture f;
  REQUIRE(f.post("/v1/tasks/retry", R"({"filter": {"reason": "lost"}, "rate": {"limit": 10, "period": "1m"}})").status == 200);
  const auto& b = f.node.told->bulks.back();
  CHECK(b.filter.reason == "lost");
  REQUIRE(b.rate);
  CHECK(b.rate->limit == 10);
  CHECK(b.rate->period == 1min);
  CHECK(f.get("/v1/tasks?state=failed&reason=lost").status == 200);
  CHECK(f.node.told->filters.back().reason == "lost");
  CHECK(f.get("/v1/tasks?reason=No%20Name").status == 400);
  CHECK(retry(f, R"({"filter": {"queue": "q"}, "rate": {"limit": 0}})") == "422 /rate/limit");
  CHECK(retry(f, R"({"filter": {"queue": "q"}, "rate": {}})") == "422 /rate/limit");
  CHECK(retry(f, R"({"filter": {"queue": "q"}, "rate": {"limit": 1, "period": "2d"}})") == "422 /rate/period");
  CHECK(retry(f, R"({"filter": {"queue": "q"}, "rate": {"limit": 1, "burst": 2}})") == "400 /rate/burst");
  CHECK(retry(f, R"({"filter": {"queue": "q"}, "rate": 5})") == "400 /rate");
  CHECK(f.post("/v1/tasks/cancel", R"({"filter": {"queue": "q"}, "rate": {"limit": 1}})").status == 422);
}

TEST_CASE("an update over gRPC changes what its mask names") {
  v1::UpdateRequest in;
  in.mutable_task()->set_priority(4);
  in.mutable_task()->set_queue("other");
  in.mutable_task()->mutable_retry()->mutable_max()->set_seconds(60);
  in.mutable_update_mask()->add_paths("priority");
  in.mutable_update_mask()->add_paths("retry.max");
  in.mutable_update_mask()->add_paths("expires_at");
  const auto edit = read_edit(in, fixed_now());
  REQUIRE(edit);
  CHECK(edit->fields == std::set<std::string>{"priority", "retry.max", "expires_at"});
  CHECK(edit->to.priority == 4);
  CHECK(edit->to.retry.max == 1min);
  in.mutable_update_mask()->add_paths("kind");
  const auto refused = read_edit(in, fixed_now());
  REQUIRE_FALSE(refused);
  CHECK(refused.failure().faults.at(0).field == "/update_mask");
  v1::UpdateRequest nothing;
  CHECK_FALSE(read_edit(nothing, fixed_now()));
}
