#include "tests/catch.hpp"
#include "tests/gateway/http_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {
constexpr char unknown_id[] = "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1";
}

TEST_CASE("a submitted task is answered with 201, its place and itself") {
  http_fixture f;
  const auto r = f.post("/v1/tasks", R"({"kind": "echo", "payload": {"big": 123456789012345678901234567890}, "delay": "1h", "labels": {"team": "a"}})");
  REQUIRE(r.status == 201);
  CHECK(r.content_type == "application/json");
  const std::string id = r.json["id"];
  CHECK(r.location == "/v1/tasks/" + id);
  CHECK(r.json["state"] == "scheduled");
  CHECK(r.json["run_at"] == "2030-01-01T01:00:00.000000Z");
  CHECK(r.json["labels"]["team"] == "a");
  CHECK(r.body.find("123456789012345678901234567890") != std::string::npos);
  CHECK(f.get(r.location).json == r.json);
}

TEST_CASE("a key seen before answers 200 with the first task") {
  http_fixture f;
  const auto first = f.post("/v1/tasks", R"({"kind": "noop"})", {{"Idempotency-Key", "k1"}});
  const auto again = f.post("/v1/tasks", R"({"kind": "noop"})", {{"Idempotency-Key", "k1"}});
  CHECK(first.status == 201);
  CHECK(again.status == 200);
  CHECK(again.json["id"] == first.json["id"]);
  CHECK(again.location == first.location);
  CHECK(f.node.told->submitted.front().idempotency_key == "k1");
  CHECK(f.post("/v1/tasks", R"({"kind": "noop"})", {{"Idempotency-Key", "a"}, {"Idempotency-Key", "b"}}).status == 400);
  CHECK(f.post("/v1/tasks", R"({"kind": "noop"})", {{"Idempotency-Key", std::string(257, 'k')}}).status == 422);
  CHECK(f.post("/v1/tasks", R"({"kind": "noop", "idempotency_key": "x"})", {{"Idempotency-Key", "y"}}).status == 400);
  f.node.tell([](script& s) { s.refuse_row = 0; });
  CHECK(f.post("/v1/tasks", R"({"kind": "noop"})", {{"Idempotency-Key", "k2"}}).status == 422);
}

TEST_CASE("bad bodies are refused with the place of the fault, and nothing is submitted") {
  http_fixture f;
  struct {
    std::string body;
    int status;
    const char* field;
  } const table[] = {
      {"", 400, "none"},
      {"{", 400, "none"},
      {"{\"kind\": \"noop\"} x", 400, "none"},
      {"[]", 400, ""},
      {R"({"kind": 5})", 400, "/kind"},
      {R"({"kind": "NOOP"})", 400, "/kind"},
      {R"({"kind": "noop", "kind": "noop"})", 400, "/kind"},
      {R"({"kind": "noop", "nope": 1})", 400, "/nope"},
      {R"({"kind": "noop", "run_at": "2030-01-01T00:00:00"})", 400, "/run_at"},
      {R"({"kind": "noop", "delay": "-1s"})", 400, "/delay"},
      {R"({"kind": "noop", "payload": "a\u0000b"})", 400, "/payload"},
      {"{\"kind\": \"noop\", \"payload\": \"\xff\"}", 400, "none"},
      {R"({"kind": "noop", "payload": 1e400})", 400, "none"},
      {R"({"kind": "noop", "payload": )" + std::string(100, '[') + std::string(100, ']') + "}", 400, "/payload"},
      {R"({"kind": "noop", "priority": 10})", 422, "/priority"},
      {R"({"kind": "noop", "max_attempts": 0})", 422, "/max_attempts"},
      {R"({"kind": "noop", "payload": ")" + std::string(1 << 20, 'x') + "\"}", 413, "/payload"},
  };
  for (const auto& row : table) {
    INFO(row.body.substr(0, 100));
    const auto r = f.post("/v1/tasks", row.body);
    CHECK(r.status == row.status);
    if (row.field != std::string("/payload") || row.body.find("[[[") == std::string::npos)
      CHECK(r.fault_field() == row.field);
    else
      CHECK(r.fault_field().starts_with(row.field));
  }
  CHECK(f.node.calls() == 0);
}

TEST_CASE("a batch answers row by row, in order") {
  http_fixture f;
  f.node.tell([](script& s) { s.refuse_row = 1; });
  const auto r = f.post("/v1/tasks/batch", R"({"tasks": [{"kind": "a"}, {"kind": "b", "run_at": "x"}, {"kind": "c"}, 5, {"kind": "d"}]})");
  REQUIRE(r.status == 200);
  const auto& rows = r.json["results"];
  REQUIRE(rows.size() == 5);
  CHECK(rows[0].contains("id"));
  CHECK(rows[1]["error"]["status"] == 400);
  CHECK(rows[1]["error"]["errors"][0]["field"] == "/run_at");
  CHECK(rows[2]["error"]["status"] == 422);
  CHECK(rows[3]["error"]["status"] == 400);
  CHECK(f.get("/v1/tasks/" + rows[4]["id"].get<std::string>()).json["kind"] == "d");
  CHECK(f.post("/v1/tasks/batch", R"({"tasks": []})").json["results"].empty());
}

TEST_CASE("a batch of the wrong form or size is refused whole") {
  http_fixture f;
  CHECK(f.post("/v1/tasks/batch", "[]").status == 400);
  CHECK(f.post("/v1/tasks/batch", "{}").fault_field() == "/tasks");
  CHECK(f.post("/v1/tasks/batch", R"({"tasks": {}})").fault_field() == "/tasks");
  CHECK(f.post("/v1/tasks/batch", R"({"tasks": [], "all": true})").fault_field() == "/all");
  CHECK(f.post("/v1/tasks/batch", R"({"tasks": []})", {{"Idempotency-Key", "k"}}).status == 400);
  std::string rows;
  for (int i = 0; i < 10'001; ++i) rows += i == 0 ? R"({"kind":"a"})" : R"(,{"kind":"a"})";
  const auto r = f.post("/v1/tasks/batch", "{\"tasks\": [" + rows + "]}");
  CHECK(r.status == 413);
  CHECK(r.json["detail"].get<std::string>().find("10000") != std::string::npos);
  CHECK(f.node.calls() == 0);
}

TEST_CASE("ids that are none are refused, unknown ones not found") {
  http_fixture f;
  for (const char* id : {"x", "123", "01914c3e9d1b7c5f8a440c8fd5b2a7e1", "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1x", "%20", "%F0%9F%98%80"}) {
    INFO(id);
    CHECK(f.get("/v1/tasks/" + std::string(id)).status == 400);
    CHECK(f.post("/v1/tasks/" + std::string(id) + "/cancel", "").status == 400);
    CHECK(f.get("/status?task_id=" + std::string(id)).status == 400);
  }
  for (const char* path : {"", "/wait"}) CHECK(f.get("/v1/tasks/" + std::string(unknown_id) + path).status == 404);
  for (const char* path : {"/cancel", "/retry"}) CHECK(f.post("/v1/tasks/" + std::string(unknown_id) + path, "").status == 404);
}

TEST_CASE("a list takes its filters and refuses others") {
  http_fixture f;
  f.submit();
  f.node.tell([](script& s) { s.next_cursor = "abc"; });
  const auto r = f.get("/v1/tasks?queue=q&kind=k&state=running&label=a%3Db&label=c%3Dd%3De&limit=7&cursor=xyz");
  REQUIRE(r.status == 200);
  CHECK(r.json["tasks"].size() == 1);
  CHECK(r.json["next_cursor"] == "abc");
  const auto& filter = f.node.told->filters.back();
  CHECK(filter.queue == "q");
  CHECK(filter.kind == "k");
  CHECK(filter.state == task_state::running);
  CHECK(filter.labels == std::map<std::string, std::string>{{"a", "b"}, {"c", "d=e"}});
  CHECK(filter.limit == 7);
  CHECK(filter.cursor == "xyz");
  for (const char* q : {"?quue=x", "?limit=0", "?limit=-1", "?limit=x", "?limit=1e3", "?state=done", "?label=a", "?label=%3Db", "?queue=a&queue=b", "?queue=A",
                        "?cursor=", "?kind=%zz", "?label=a%3D1&label=a%3D2"}) {
    INFO(q);
    CHECK(f.get("/v1/tasks" + std::string(q)).status == 400);
  }
  CHECK(f.get("/v1/tasks?limit=1001").status == 422);
  f.node.tell([](script& s) { s.next_cursor.clear(); });
  CHECK(f.get("/v1/tasks").json["next_cursor"].is_null());
}

TEST_CASE("a wait tells finished from not yet") {
  http_fixture f;
  const auto id = f.submit();
  CHECK(f.get("/v1/tasks/" + id + "/wait").status == 200);
  f.node.tell([](script& s) { s.finished = false; });
  const auto r = f.get("/v1/tasks/" + id + "/wait?timeout=1.5s");
  CHECK(r.status == 202);
  CHECK(r.json["id"] == id);
  CHECK(f.node.told->waits == std::vector<duration>{30s, 1500ms});
  for (const char* q : {"?timeout=5", "?timeout=-1s", "?timeout=", "?time=1s", "?timeout=1s&timeout=2s"})
    CHECK(f.get("/v1/tasks/" + id + "/wait" + q).status == 400);
  CHECK(f.get("/v1/tasks/" + id + "/wait?timeout=11m").status == 422);
}

TEST_CASE("cancel says whether it is done or asked for") {
  http_fixture f;
  const auto id = f.submit();
  f.node.tell([](script& s) { s.cancelled = false; });
  const auto asked = f.post("/v1/tasks/" + id + "/cancel", "");
  CHECK(asked.status == 202);
  CHECK(asked.json["cancel"] == "cancel_requested");
  f.node.tell([](script& s) { s.cancelled = true; });
  const auto gone = f.post("/v1/tasks/" + id + "/cancel", "{}");
  CHECK(gone.status == 200);
  CHECK(gone.json["cancel"] == "cancelled");
  CHECK(gone.json["state"] == "cancelled");
  CHECK(f.post("/v1/tasks/" + id + "/retry", "").status == 409);
  f.node.tell([](script& s) {
    for (auto& [key, r] : s.tasks) r.state = task_state::failed;
  });
  CHECK(f.post("/v1/tasks/" + id + "/cancel", "").status == 409);
  CHECK(f.post("/v1/tasks/" + id + "/retry", "").json["id"] == id);
}

TEST_CASE("cancel and retry in bulk take a filter, and refuse what would match everything or nothing") {
  http_fixture f;
  const auto r = f.post("/v1/tasks/cancel", R"({"filter": {"queue": "mail", "kind": "k", "state": "ready", "label": ["a=b", "c=d=e"]}, "dry_run": true})");
  REQUIRE(r.status == 200);
  CHECK(r.json == nlohmann::json({{"matched", 7}, {"changed", 0}, {"dry_run", true}}));
  const auto asked = f.node.told->bulks.back();
  CHECK(asked.what == bulk_request::verb::cancel);
  CHECK(asked.filter.queue == "mail");
  CHECK(asked.filter.kind == "k");
  CHECK(asked.filter.state == task_state::ready);
  CHECK(asked.filter.labels == std::map<std::string, std::string>{{"a", "b"}, {"c", "d=e"}});
  CHECK(f.post("/v1/tasks/retry", R"({"filter": {"label": "a=b"}})").json["changed"] == 5);
  CHECK(f.node.told->bulks.back().what == bulk_request::verb::retry);

  const auto refused = [&](const char* path, const char* body, int status, const std::string& field) {
    const auto before = f.node.told->bulks.size();
    const auto answer = f.post(path, body);
    CHECK(answer.status == status);
    REQUIRE(answer.json["errors"].size() == 1);
    CHECK(answer.json["errors"][0]["field"] == field);
    CHECK(f.node.told->bulks.size() == before);
  };
  refused("/v1/tasks/cancel", "{}", 422, "/filter");
  refused("/v1/tasks/cancel", R"({"filter": {}})", 422, "/filter");
  refused("/v1/tasks/cancel", R"({"filter": {"state": "failed"}})", 422, "/filter/state");
  refused("/v1/tasks/retry", R"({"filter": {"state": "running"}})", 422, "/filter/state");
  refused("/v1/tasks/retry", R"({"filter": {"state": "dead"}})", 400, "/filter/state");
  refused("/v1/tasks/retry", R"({"filter": {"queue": "Mail"}})", 400, "/filter/queue");
  refused("/v1/tasks/retry", R"({"filter": {"id": "x"}})", 400, "/filter/id");
  refused("/v1/tasks/retry", R"({"filter": {"label": "x"}})", 400, "/filter/label");
  refused("/v1/tasks/retry", R"({"filter": {"queue": "q"}, "dry_run": 1})", 400, "/dry_run");
  refused("/v1/tasks/retry", R"({"filter": {"queue": "q"}, "dryrun": true})", 400, "/dryrun");
  refused("/v1/tasks/retry", R"({"filter": ["q"]})", 400, "/filter");
}

TEST_CASE("attempts, queues and workers are lists under their own names") {
  http_fixture f;
  const auto id = f.submit();
  f.node.tell([&](script& s) {
    attempt_record a;
    a.attempt = 1;
    a.worker = "w";
    a.outcome = "failed";
    a.error = task_error{"exit", "exit code 1"};
    s.attempts = {a};
    queue_info q;
    q.counts = {"mail", 3, 4, true};
    q.running = 5;
    s.queues = {q};
    worker_info w;
    w.id = "s/1 x";
    w.name = "w";
    w.state = "connected";
    w.slots = 8;
    w.tasks = {*uuid::parse(id)};
    w.connected_at = fixed_now();
    s.workers = {w};
  });
  const auto attempts = f.get("/v1/tasks/" + id + "/attempts").json;
  CHECK(attempts["attempts"][0]["error"]["code"] == "exit");
  CHECK(attempts["next_cursor"].is_null());
  CHECK(f.get("/v1/queues").json["queues"][0] == nlohmann::json::parse(R"({
            "name": "mail", "paused": false, "concurrency": null, "rate": null, "key_concurrency": 1, "key_rate": null, "weight": 1,
            "paused_kinds": [], "paused_keys": [], "scheduled": 3, "ready": 4, "running": 5, "capped": true})"));
  const auto worker = f.get("/v1/workers").json["workers"][0];
  CHECK(worker["tasks"][0] == id);
  CHECK(worker["connected_at"] == "2030-01-01T00:00:00.000000Z");
  CHECK(f.post("/v1/workers/s%2F1%20x/drain", "").status == 202);
  CHECK(f.node.told->drained == std::vector<std::string>{"s/1 x"});
  CHECK(f.post("/v1/workers/nobody/drain", "").status == 404);
}

TEST_CASE("the original endpoints keep their words") {
  http_fixture f;
  const auto r = f.send("POST", "/schedule", R"({"command": "echo \"hi\"", "scheduled_at": "2023-12-25T22:34:00+05:30"})", {}, "application/x-www-form-urlencoded");
  REQUIRE(r.status == 200);
  CHECK(r.json["command"] == "echo \"hi\"");
  CHECK(r.json["scheduled_at"] == 1703523840);
  const std::string id = r.json["task_id"];
  const auto& spec = f.node.told->submitted.back();
  CHECK(spec.kind == "shell");
  CHECK(spec.max_attempts == 1);
  CHECK(nlohmann::json::parse(spec.payload) == nlohmann::json{{"command", "echo \"hi\""}});

  auto status = f.get("/status?task_id=" + id).json;
  CHECK(status == nlohmann::json{{"task_id", id}, {"command", "echo \"hi\""}, {"scheduled_at", "2023-12-25T17:04:00.000000Z"}});
  for (auto [state, name] : {std::pair{task_state::succeeded, "completed_at"}, std::pair{task_state::failed, "failed_at"}, std::pair{task_state::expired, "failed_at"},
                             std::pair{task_state::cancelled, "failed_at"}}) {
    f.node.tell([&, end = state](script& s) {
      auto& t = s.tasks.at(*uuid::parse(id));
      t.state = end;
      t.picked_at = fixed_now();
      t.started_at = fixed_now() + 1ms;
      t.finished_at = fixed_now() + 1s;
    });
    status = f.get("/status?task_id=" + id).json;
    CHECK(status["picked_at"] == "2030-01-01T00:00:00.000000Z");
    CHECK(status["started_at"] == "2030-01-01T00:00:00.001000Z");
    CHECK(status[name] == "2030-01-01T00:00:01.000000Z");
    CHECK(status.size() == 6);
  }
  CHECK(f.get("/status").status == 400);
  CHECK(f.get("/status?task_id=").status == 400);
  CHECK(f.get("/status?task_id=" + std::string(unknown_id)).status == 404);
  CHECK(f.get("/status?id=" + id).status == 400);
}

TEST_CASE("the original /schedule refuses what it cannot keep") {
  http_fixture f;
  const std::pair<const char*, const char*> table[] = {
      {R"({"scheduled_at": "2030-01-01T00:00:00Z"})", "/command"},
      {R"({"command": "x"})", "/scheduled_at"},
      {R"({"command": "", "scheduled_at": "2030-01-01T00:00:00Z"})", "/command"},
      {R"({"command": 1, "scheduled_at": "2030-01-01T00:00:00Z"})", "/command"},
      {R"({"command": null, "scheduled_at": "2030-01-01T00:00:00Z"})", "/command"},
      {R"({"command": "x", "scheduled_at": "2030-01-01T00:00:00"})", "/scheduled_at"},
      {R"({"command": "x", "scheduled_at": 1703523840})", "/scheduled_at"},
      {R"({"command": "x", "scheduled_at": "2030-01-01T00:00:00Z", "at": 1})", "/at"},
      {"[]", ""},
      {"command=x", "none"},
  };
  for (const auto& [body, field] : table) {
    INFO(body);
    const auto r = f.post("/schedule", body);
    CHECK(r.status == 400);
    CHECK(r.fault_field() == field);
  }
  const auto late = f.post("/schedule", R"({"command": "x", "scheduled_at": "2099-01-01T00:00:00Z"})");
  CHECK(late.status == 422);
  CHECK(late.fault_field() == "/scheduled_at");
}
