// Batches as graphs: what belongs together, what is refused and in which words.
#include "schema/graph.hpp"
#include "tests/catch.hpp"

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

task_spec row(const std::string& ref, std::vector<std::string> after = {}, const std::string& group = "", std::vector<std::string> groups = {}) {
  task_spec s;
  s.kind = "noop";
  s.options.ref = ref;
  s.options.group = group;
  for (auto& a : after) s.after.push_back({a, "", {}, {}});
  for (auto& g : groups) s.after.push_back({"", g, {}, {}});
  return s;
}

struct arranged {
  std::vector<std::vector<std::size_t>> graphs;
  std::vector<std::optional<error>> refused;
  std::string field(std::size_t i) const { return refused[i] && !refused[i]->faults.empty() ? refused[i]->faults[0].field : "none"; }
  std::string detail(std::size_t i) const { return refused[i] ? refused[i]->message : ""; }
};

arranged arrange_all(const std::vector<task_spec>& rows, std::vector<std::size_t> wrong = {}) {
  arranged out;
  out.refused.resize(rows.size());
  for (const auto i : wrong) out.refused[i] = error(ec::invalid_argument, "kind is missing", {{"/kind", "is missing"}});
  out.graphs = arrange(rows, out.refused);
  return out;
}

using parts = std::vector<std::vector<std::size_t>>;
constexpr char id[] = "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1";

} // namespace

TEST_CASE("rows that wait for each other are one graph, the others are their own") {
  const auto a = arrange_all({row("a"), row(""), row("b", {"a"}), row("x", {id}), row("c", {"a", "b"}), row("alone")});
  CHECK(a.graphs == parts{{0, 2, 4}, {3}});
  for (const auto& r : a.refused) CHECK_FALSE(r);
  CHECK(arrange_all({row(""), row("")}).graphs.empty());
}

TEST_CASE("who waits for a group is in one graph with its members of the same batch") {
  const auto a = arrange_all({row("", {}, "g"), row("", {}, "g"), row("", {}, "h"), row("", {}, "", {"g"}), row("", {}, "g", {"g"})});
  CHECK(a.graphs.empty() == false);
  CHECK(a.graphs[0] == std::vector<std::size_t>{0, 1, 3, 4});
  CHECK(a.graphs.size() == 1);
}

TEST_CASE("a cycle is refused and named, with whatever is in one graph with it") {
  const auto a = arrange_all({row("a", {"c"}), row("b", {"a"}), row("c", {"b"}), row("d", {"c"}), row("other"), row("o2", {"other"})});
  std::size_t told = 3;
  for (std::size_t i = 0; i < 3; ++i)
    if (a.field(i) == "/after") told = i;
  REQUIRE(told < 3);
  CHECK(a.detail(told).find("\"a\" waits for \"c\" waits for \"b\" waits for \"a\"") != std::string::npos);
  for (std::size_t i = 0; i < 4; ++i) CHECK(a.refused[i]);
  CHECK(a.graphs == parts{{4, 5}});
}

TEST_CASE("a cycle through a group is a cycle") {
  const auto a = arrange_all({row("m", {"z"}, "g"), row("z", {}, "", {"g"})});
  CHECK(a.refused[0]);
  CHECK(a.refused[1]);
  CHECK(a.graphs.empty());
}

TEST_CASE("what a row names has to be there, once, and not itself") {
  auto a = arrange_all({row("a", {"nobody"}), row("b")});
  CHECK(a.field(0) == "/after/0");
  CHECK(a.detail(0).find("neither the ref of a row of the same batch nor the id of a task") != std::string::npos);
  CHECK_FALSE(a.refused[1]);
  a = arrange_all({row("a", {id, "a"})});
  CHECK(a.field(0) == "/after/1");
  a = arrange_all({row("a"), row("a"), row("b", {"a"})});
  CHECK(a.field(1) == "/ref");
  CHECK(a.refused[0]);
  CHECK(a.refused[2]);
}

TEST_CASE("a row that is wrong refuses its graph, and says so to the others") {
  const auto a = arrange_all({row("a"), row("b", {"a"}), row("c", {"b"}), row("lonely")}, {1});
  CHECK(a.field(1) == "/kind");
  CHECK(a.detail(0) == "it was refused with its graph, in which row 1 has a fault: kind is missing");
  CHECK(a.refused[2]);
  CHECK_FALSE(a.refused[3]);
  CHECK(a.graphs.empty());
}

TEST_CASE("edges are limited, and the limit is told") {
  std::vector<task_spec> rows;
  for (int i = 0; i < 400; ++i) rows.push_back(row("", {}, "g"));
  for (int i = 0; i < 250; ++i) rows.push_back(row("", {}, "", {"g"}));
  CHECK_FALSE(arrange_all(rows).refused[0]);
  rows.push_back(row("", {}, "", {"g"}));
  const auto a = arrange_all(rows);
  CHECK(a.detail(0).find("100400 edges; the limit is 100000") != std::string::npos);
  auto wide = row("w");
  for (int i = 0; i < 10'001; ++i) wide.after.push_back({"r" + std::to_string(i), "", {}, {}});
  REQUIRE(validate(wide, {}));
  CHECK(validate(wide, {})->faults[0].detail.find("10001 entries; the limit is 10000") != std::string::npos);
}

TEST_CASE("two rows of a graph with one key are refused") {
  auto rows = std::vector<task_spec>{row("a"), row("b", {"a"})};
  rows[0].unique_key = rows[1].unique_key = "k";
  CHECK(arrange_all(rows).field(1) == "/unique_key");
  rows[1].after.clear();
  CHECK_FALSE(arrange_all(rows).refused[1]);
}

TEST_CASE("a chain of ten thousand is walked without a stack") {
  std::vector<task_spec> rows{row("r0")};
  for (int i = 1; i < 10'000; ++i) rows.push_back(row("r" + std::to_string(i), {"r" + std::to_string(i - 1)}));
  CHECK(arrange_all(rows).graphs.at(0).size() == 10'000);
  rows[0].after.push_back({"r9999", "", {}, {}});
  const auto a = arrange_all(rows);
  CHECK(a.graphs.empty());
  CHECK(a.refused[5]);
}

TEST_CASE("refs and groups are judged with the task") {
  for (const auto& bad : {std::string("a b"), std::string(65, 'x'), std::string(id)}) {
    INFO(bad);
    auto s = row(bad);
    REQUIRE(validate(s, {}));
    CHECK(validate(s, {})->faults[0].field == "/ref");
  }
  auto s = row("", {"a", "a"});
  CHECK(validate(s, {})->faults[0].field == "/after/1");
  s = row("");
  s.after.push_back({"a", "g", {}, {}});
  CHECK(validate(s, {})->faults[0].field == "/after/0");
  CHECK_FALSE(validate(row("Build:x/1", {id}, "Nightly_1"), {}));
}

TEST_CASE("an idempotency key finds another body when what it waits for is another") {
  auto a = row("a", {id}), b = a;
  b.after[0].otherwise = otherwise_do::run;
  CHECK(fingerprint(a) != fingerprint(b));
  CHECK(fingerprint(a) != fingerprint(row("a")));
}

TEST_CASE("ids stand for refs, groups for their members of the call") {
  std::vector<new_task> rows(3);
  for (auto& r : rows) r.id = uuid::make({});
  rows[0].spec = row("a", {}, "g");
  rows[1].spec = row("b", {"a", id});
  rows[2].spec = row("c", {"a"}, "", {"g"});
  resolve(rows);
  CHECK(rows[1].after == std::vector<edge>{{rows[0].id, "", {}, {}}, {*uuid::parse(id), "", {}, {}}});
  CHECK(rows[2].after == std::vector<edge>{{rows[0].id, "", {}, {}}, {{}, "g", {}, {}}});
}

TEST_CASE("a decided end is read back from the row") {
  task t;
  CHECK_FALSE(fate_of(t));
  t.reason = fate_reason(task_state::failed, *uuid::parse(id), "expired");
  CHECK(fate_of(t)->state == task_state::failed);
  CHECK(fate_of(t)->detail == std::string("it was to run after task ") + id + ", which ended expired");
  for (const auto* other : {"retry", "lost", "dependency"}) {
    t.reason = other;
    CHECK_FALSE(fate_of(t));
  }
}
