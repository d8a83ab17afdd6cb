#include "gateway/json_door.hpp"
#include "gateway/status_codes.hpp"
#include "gateway/task_json.hpp"
#include "tests/catch.hpp"

#include <nlohmann/json.hpp>

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

const timestamp now = *parse_timestamp("2030-01-01T00:00:00Z");

expected<task_spec> read(std::string_view text) {
  const auto json = open_json(text);
  REQUIRE(json);
  return read_task(*json, now);
}

std::vector<std::string> faulty_fields(std::string_view text, ec code) {
  const auto spec = read(text);
  REQUIRE_FALSE(spec);
  CHECK(spec.failure().code == code);
  std::vector<std::string> out;
  for (const auto& f : spec.failure().faults) {
    CHECK_FALSE(f.detail.empty());
    out.push_back(f.field);
  }
  return out;
}

} // namespace

TEST_CASE("a refusal says how many faults there are, and names each field") {
  const auto spec = read(R"({"kind": "echo", "priorty": 3, "delay": "-1s"})");
  REQUIRE_FALSE(spec);
  CHECK(spec.failure().faults.size() == 2);
  CHECK(spec.failure().message.find("2 faults") != std::string::npos);
}

TEST_CASE("every field of a task is read") {
  const auto spec = read(R"({"kind": "shell", "payload": {"command": "echo", "n": 123456789012345678901234567890}, "queue": "mail", "run_at": "2030-01-01T02:00:00+01:00",
    "priority": 9, "timeout": "1m30s", "expires_at": "2030-01-02T00:00:00Z", "max_attempts": 3,
    "retry": {"initial": "250ms", "factor": 1.5, "max": "1h", "jitter": 0}, "delivery": "at_least_once",
    "unique_key": "u", "concurrency_key": "c", "idempotency_key": "i", "labels": {"team": "a", "x/y": "b"}})");
  REQUIRE(spec);
  CHECK(spec->kind == "shell");
  CHECK(spec->payload == "{\"command\":\"echo\",\"n\":123456789012345678901234567890}");
  CHECK(spec->queue == "mail");
  CHECK(spec->run_at == *parse_timestamp("2030-01-01T01:00:00Z"));
  CHECK(spec->priority == 9);
  CHECK(spec->timeout == 90s);
  CHECK(spec->expires_at == *parse_timestamp("2030-01-02T00:00:00Z"));
  CHECK(spec->max_attempts == 3);
  CHECK(spec->retry == retry_policy{250ms, 1.5, 1h, 0});
  CHECK(spec->unique_key == "u");
  CHECK(spec->concurrency_key == "c");
  CHECK(spec->idempotency_key == "i");
  CHECK(spec->labels == std::map<std::string, std::string>{{"team", "a"}, {"x/y", "b"}});
}

TEST_CASE("null stands for not given, except as payload") {
  const auto spec = read(R"({"kind": "noop", "payload": null, "queue": null, "run_at": null, "delay": null, "priority": null, "timeout": null,
    "expires_at": null, "max_attempts": null, "retry": null, "delivery": null, "unique_key": null, "concurrency_key": null, "labels": null})");
  REQUIRE(spec);
  CHECK(spec->payload == "null");
  CHECK(spec->queue == "default");
  CHECK(spec->max_attempts == 5);
  CHECK_FALSE(spec->run_at);
  CHECK(faulty_fields(R"({"kind": null})", ec::invalid_argument) == std::vector<std::string>{"/kind"});
}

TEST_CASE("each fault of form names its field") {
  const std::pair<const char*, const char*> table[] = {
      {R"({})", "/kind"},
      {R"({"kind": 1})", "/kind"},
      {R"({"kind": ""})", "/kind"},
      {R"({"kind": "Shell"})", "/kind"},
      {R"({"kind": "a b"})", "/kind"},
      {R"({"kind": "ü"})", "/kind"},
      {R"({"kind": "noop", "queue": ["a"]})", "/queue"},
      {R"({"kind": "noop", "priority": "1"})", "/priority"},
      {R"({"kind": "noop", "priority": 1.5})", "/priority"},
      {R"({"kind": "noop", "priority": 99999999999999999999})", "/priority"},
      {R"({"kind": "noop", "max_attempts": true})", "/max_attempts"},
      {R"({"kind": "noop", "run_at": "tomorrow"})", "/run_at"},
      {R"({"kind": "noop", "run_at": "2030-01-01T00:00:00"})", "/run_at"},
      {R"({"kind": "noop", "run_at": "2030-01-01 00:00:00 Europe/Berlin"})", "/run_at"},
      {R"({"kind": "noop", "run_at": "2030-02-30T00:00:00Z"})", "/run_at"},
      {R"({"kind": "noop", "run_at": "2030-01-01T00:00:00+99:00"})", "/run_at"},
      {R"({"kind": "noop", "run_at": 1893456000})", "/run_at"},
      {R"({"kind": "noop", "delay": 5})", "/delay"},
      {R"({"kind": "noop", "delay": "-5s"})", "/delay"},
      {R"({"kind": "noop", "delay": "5"})", "/delay"},
      {R"({"kind": "noop", "delay": "soon"})", "/delay"},
      {R"({"kind": "noop", "delay": "99999999999999999999d"})", "/delay"},
      {R"({"kind": "noop", "timeout": "-1ms"})", "/timeout"},
      {R"({"kind": "noop", "delay": "1s", "run_at": "2030-01-01T00:00:00Z"})", "/delay"},
      {R"({"kind": "noop", "retry": []})", "/retry"},
      {R"({"kind": "noop", "retry": {"initial": 1}})", "/retry/initial"},
      {R"({"kind": "noop", "retry": {"initial": "-1s"}})", "/retry/initial"},
      {R"({"kind": "noop", "retry": {"factor": "2"}})", "/retry/factor"},
      {R"({"kind": "noop", "retry": {"base": 2}})", "/retry/base"},
      {R"({"kind": "noop", "delivery": "exactly_once"})", "/delivery"},
      {R"({"kind": "noop", "delivery": 1})", "/delivery"},
      {R"({"kind": "noop", "labels": ["a"]})", "/labels"},
      {R"({"kind": "noop", "labels": {"a/b": 1}})", "/labels/a~1b"},
      {R"({"kind": "noop", "labels": {"a": null}})", "/labels/a"},
      {R"({"kind": "noop", "cron": "* * * * *"})", "/cron"},
      {R"({"kind": "noop", "after": "x"})", "/after"},
      {R"({"kind": "noop", "after": [7]})", "/after/0"},
      {R"({"kind": "noop", "after": ["a", {"on": "finished"}]})", "/after/1"},
      {R"({"kind": "noop", "after": [{"ref": "a", "group": "g"}]})", "/after/0"},
      {R"({"kind": "noop", "after": [{"ref": "a", "on": "ended"}]})", "/after/0/on"},
      {R"({"kind": "noop", "after": [{"ref": "a", "else": "stop"}]})", "/after/0/else"},
      {R"({"kind": "noop", "after": [{"ref": "a", "otherwise": "run"}]})", "/after/0/otherwise"},
      {R"({"kind": "noop", "after": ["a b"]})", "/after/0"},
      {R"({"kind": "noop", "ref": "a b"})", "/ref"},
      {R"({"kind": "noop", "group": 5})", "/group"},
  };
  for (const auto& [text, field] : table) {
    INFO(text);
    CHECK(faulty_fields(text, ec::invalid_argument) == std::vector<std::string>{field});
  }
  CHECK(faulty_fields("[]", ec::invalid_argument) == std::vector<std::string>{""});
}

TEST_CASE("all faults are told at once, those of rules beside those of form") {
  CHECK(faulty_fields(R"({"queue": 1, "run_at": "x", "delay": "-1s", "colour": 1, "priority": 12})", ec::invalid_argument) ==
        std::vector<std::string>{"/queue", "/run_at", "/delay", "/colour", "/kind", "/priority"});
}

TEST_CASE("rules and sizes have codes of their own") {
  CHECK(faulty_fields(R"({"kind": "noop", "priority": 12})", ec::unprocessable) == std::vector<std::string>{"/priority"});
  CHECK(faulty_fields(R"({"kind": "noop", "run_at": "2099-01-01T00:00:00Z"})", ec::unprocessable) == std::vector<std::string>{"/run_at"});
  CHECK(faulty_fields(R"({"kind": "noop", "payload": ")" + std::string(limits::payload_bytes, 'x') + "\"}", ec::too_large) == std::vector<std::string>{"/payload"});
}

TEST_CASE("a record shows every field, null where there is nothing") {
  task_record r;
  r.task.id = *uuid::parse("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  r.task.kind = "echo";
  r.task.payload = std::make_shared<const std::string>("{\"n\":1.00}");
  r.task.created_at = now;
  r.task.run_at = now + 1500ms;
  r.state = task_state::scheduled;
  json_writer out;
  write_task(out, r);
  const auto text = out.take();
  CHECK(text.find("{\"n\":1.00}") != std::string::npos);
  const auto json = nlohmann::json::parse(text);
  CHECK(json["id"] == "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  CHECK(json["run_at"] == "2030-01-01T00:00:01.500000Z");
  CHECK(json["next_attempt_at"] == json["run_at"]);
  CHECK(json["state"] == "scheduled");
  CHECK(json["retry"]["max"] == "10m");
  for (const char* name : {"reason", "picked_at", "started_at", "finished_at", "expires_at", "timeout", "unique_key", "concurrency_key", "worker",
                           "fence", "progress", "result", "error"})
    CHECK(json.at(name).is_null());
  CHECK(json["labels"] == nlohmann::json::object());

  r.state = task_state::failed;
  r.reason = "attempts_exhausted";
  r.result = "{\"output\":\"x\"}";
  r.error = task_error{"exit", "exit code 2"};
  r.fence = {1764000000000, 12};
  r.finished_at = now + 2s;
  json_writer again;
  write_task(again, r);
  const auto done = nlohmann::json::parse(again.take());
  CHECK(done["result"]["output"] == "x");
  CHECK(done["error"]["code"] == "exit");
  CHECK(done["reason"] == "attempts_exhausted");
  CHECK(done["fence"] == r.fence.str());
  CHECK(done["next_attempt_at"].is_null());
  CHECK(done["finished_at"] == "2030-01-01T00:00:02.000000Z");
}

TEST_CASE("every error code has its own row of statuses") {
  for (auto code : {ec::invalid_argument, ec::too_large, ec::unprocessable, ec::not_found, ec::conflict, ec::exhausted, ec::unavailable, ec::ambiguous,
                    ec::deadline_exceeded, ec::not_leader, ec::deposed, ec::incompatible, ec::internal}) {
    CHECK(status_of(code).code == code);
    const error e(code, "x");
    CHECK((retry_after_seconds(e) > 0) == (status_of(code).http == 429 || status_of(code).http == 503));
  }
}
