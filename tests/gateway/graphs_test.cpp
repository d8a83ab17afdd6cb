// Graphs at the doors: `after` read, shown, and refused whole.
#include "tests/catch.hpp"
#include "tests/gateway/http_fixture.hpp"

#include "gateway/task_json.hpp"
#include "gateway/task_proto.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

constexpr char id[] = "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1";

std::string detail(const reply& r, std::size_t row) { return r.json["results"][row]["error"]["detail"]; }

} // namespace

TEST_CASE("what a task waits for is read in both forms") {
  http_fixture f;
  const auto r = f.post("/v1/tasks", std::string(R"({"kind": "noop", "group": "g", "delay": "5m", "after": [")") + id +
                                         R"(", {"group": "all", "on": "finished", "else": "run"}]})");
  REQUIRE(r.status == 201);
  const auto spec = f.node.told->submitted.front();
  CHECK(spec.after == std::vector<awaited>{{id, "", awaited_end::succeeded, otherwise_do::cancel}, {"", "all", awaited_end::finished, otherwise_do::run}});
  CHECK(spec.options.group == "g");
  CHECK(r.json["state"] == "scheduled");
  CHECK(r.json["run_at"].is_null());
  CHECK(r.json["next_attempt_at"].is_null());
  CHECK(r.json["waits_for"] == 2);
  CHECK(r.json["after"].is_null()); // the fake knows their number only
  CHECK(r.json["group"] == "g");
  CHECK(f.get("/v1/tasks?group=g").status == 200);
  CHECK(f.node.told->filters.back().group == "g");
  CHECK(f.get("/v1/tasks?group=a%20b").status == 400);
}

TEST_CASE("one task alone has nobody to name by a ref") {
  http_fixture f;
  auto r = f.post("/v1/tasks", R"({"kind": "noop", "after": ["build"]})");
  CHECK(r.status == 422);
  CHECK(r.fault_field() == "/after/0");
  r = f.post("/v1/tasks", R"({"kind": "noop", "ref": "a", "after": ["a"]})");
  CHECK(r.status == 422);
  CHECK(f.node.calls() == 0);
}

TEST_CASE("a batch takes each graph whole or refuses it whole, and rows by themselves as ever") {
  http_fixture f;
  const auto r = f.post("/v1/tasks/batch", R"({"tasks": [
    {"kind": "noop", "ref": "a"}, {"kind": "noop", "ref": "b", "after": ["a"]},
    {"kind": "noop", "ref": "x"}, {"kind": "NO", "ref": "y", "after": ["x"]}, {"kind": "noop", "after": ["y"]},
    {"kind": "noop", "ref": "p", "after": ["q"]}, {"kind": "noop", "ref": "q", "after": ["p"]},
    {"kind": "noop"}, {"nope": 1}]})");
  REQUIRE(r.status == 200);
  const auto& rows = r.json["results"];
  REQUIRE(rows.size() == 9);
  for (int good : {0, 1, 7}) CHECK(rows[good].contains("id"));
  CHECK(rows[3]["error"]["errors"][0]["field"] == "/kind");
  CHECK(detail(r, 2).find("it was refused with its graph, in which row 3 has a fault") == 0);
  CHECK(detail(r, 4).find("it was refused with its graph") == 0);
  const auto cycle = detail(r, 5) + detail(r, 6);
  CHECK((cycle.find("\"p\" waits for \"q\" waits for \"p\"") != std::string::npos || cycle.find("\"q\" waits for \"p\" waits for \"q\"") != std::string::npos));
  CHECK(rows[8].contains("error"));
  CHECK(f.node.told->submitted.size() == 3);
}

TEST_CASE("a record shows what it waits for, each with its policy") {
  task_record record;
  record.task.payload = std::make_shared<const std::string>("null");
  record.task.run_at = timestamp::max();
  task_options options;
  options.group = "g";
  options.ref = "r";
  options.due = timestamp(1h);
  record.task.options = share(options);
  record.waits_for = 1;
  record.after.push_back({*uuid::parse(id), "", awaited_end::finished, otherwise_do::fail});
  json_writer out;
  write_task(out, record);
  const auto json = nlohmann::json::parse(std::move(out).text());
  CHECK(json["after"] == nlohmann::json::array({{{"ref", id}, {"on", "finished"}, {"else", "fail"}}}));
  CHECK(json["waits_for"] == 1);
  CHECK(json["run_at"] == "1970-01-01T01:00:00.000000Z");
  CHECK(json["ref"] == "r");
  v1::Task proto;
  write_task(proto, record);
  CHECK(proto.waits_for() == 1);
  CHECK(proto.spec().after(0).task() == id);
  CHECK(proto.spec().after(0).on() == v1::After_On_ON_FINISHED);
  CHECK(proto.spec().after(0).otherwise() == v1::After_Else_ELSE_FAIL);
  CHECK(proto.spec().group() == "g");
  CHECK_FALSE(proto.has_next_attempt_at());
  record.waits_for = 0;
  record.after.clear();
  json_writer none;
  write_task(none, record);
  CHECK(nlohmann::json::parse(std::move(none).text())["after"] == nlohmann::json::array());
}

TEST_CASE("protobuf says the same as JSON") {
  v1::TaskSpec in;
  in.set_kind("noop");
  in.set_ref("r");
  in.set_group("g");
  in.add_after()->set_task("a");
  auto& b = *in.add_after();
  b.set_group("all");
  b.set_on(v1::After_On_ON_FINISHED);
  b.set_otherwise(v1::After_Else_ELSE_RUN);
  const auto spec = read_task(in, fixed_now());
  REQUIRE(spec);
  CHECK(spec->after == std::vector<awaited>{{"a", "", awaited_end::succeeded, otherwise_do::cancel}, {"", "all", awaited_end::finished, otherwise_do::run}});
  CHECK(spec->options.ref == "r");
  b.set_otherwise(static_cast<v1::After_Else>(9));
  const auto bad = read_task(in, fixed_now());
  REQUIRE_FALSE(bad);
  CHECK(bad.failure().faults[0].field == "/after/1/otherwise");
}

TEST_CASE("a group can be cancelled and run again in bulk") {
  http_fixture f;
  CHECK(f.post("/v1/tasks/cancel", R"({"filter": {"group": "g"}})").status == 200);
  CHECK(f.node.told->bulks.back().filter.group == "g");
  CHECK(f.post("/v1/tasks/cancel", R"({"filter": {"group": "a b"}})").status == 400);
}
