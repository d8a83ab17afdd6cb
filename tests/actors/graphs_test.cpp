// Tasks that wait for tasks, in virtual time with real actors: order, fan-in, fan-out, what becomes of children, takeovers in between.
#include "tests/actors/cluster_fixture.hpp"

#include <algorithm>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

task_spec node(const std::string& ref, std::vector<std::string> after = {}, otherwise_do otherwise = otherwise_do::cancel,
               awaited_end on = awaited_end::succeeded) {
  auto s = cluster_fixture::spec();
  s.options.ref = ref;
  for (auto& a : after) s.after.push_back({a, "", on, otherwise});
  return s;
}

class graphs : public cluster_fixture {
public:
  graphs() { config.grace = std::chrono::milliseconds(500); }

  void start(std::int32_t credit = 100) {
    c = start_coordinator("c0");
    s = start_scheduler(c.actor);
    advance(1s);
    w = connect(c, "w", credit);
  }

  std::vector<uuid> take(std::vector<task_spec> rows) {
    submit_request request;
    request.specs = std::move(rows);
    auto answer = ask<submit_answer>(s, submit_atom::value, std::move(request));
    REQUIRE(answer);
    std::vector<uuid> ids;
    for (auto& a : *answer) {
      if (a.refused) FAIL(to_string(*a.refused));
      ids.push_back(a.task.id);
    }
    return ids;
  }

  bool handed_out(const uuid& id) {
    const auto all = w->assigned();
    return std::any_of(all.begin(), all.end(), [&](const auto& a) { return a.what.what.task == id; });
  }
  void end(const uuid& id, run_outcome outcome = run_outcome::succeeded) {
    for (const auto& a : w->assigned())
      if (a.what.what.task == id && !ended.contains(a.what.what.fence)) {
        ended.insert(a.what.what.fence);
        say(*w, finished_tasks{{result_of(a, outcome)}});
        return;
      }
    FAIL("it was not handed out");
  }
  /// Ends everything that is handed out until nothing more comes.
  std::size_t end_all() {
    std::size_t n = 0;
    for (bool more = true; more;) {
      more = false;
      std::vector<run_result> results;
      for (const auto& a : w->assigned())
        if (ended.insert(a.what.what.fence).second) results.push_back(result_of(a));
      if (results.empty()) break;
      more = true;
      n += results.size();
      credit_back(results.size());
      say(*w, finished_tasks{std::move(results)});
    }
    return n;
  }
  void credit_back(std::size_t n) { say(*w, more_credit{static_cast<std::int32_t>(n)}); }

  test_coordinator c;
  scheduler_actor s;
  std::shared_ptr<hand_worker> w;
  std::set<fence> ended;
};

} // namespace

TEST_CASE_METHOD(graphs, "a diamond runs in its order, without any time passing") {
  start();
  const auto ids = take({node("d", {"b", "c"}), node("b", {"a"}), node("c", {"a"}), node("a")});
  CHECK(handed_out(ids[3]));
  for (int i : {0, 1, 2}) CHECK_FALSE(handed_out(ids[i]));
  CHECK(find(s, ids[0]).waits_for == 2);
  CHECK(find(s, ids[0]).after.size() == 2);
  end(ids[3]);
  CHECK(handed_out(ids[1]));
  CHECK(handed_out(ids[2]));
  end(ids[1]);
  CHECK_FALSE(handed_out(ids[0]));
  end(ids[2]);
  CHECK(handed_out(ids[0]));
  end(ids[0]);
  CHECK(find(s, ids[0]).state == task_state::succeeded);
}

TEST_CASE_METHOD(graphs, "a task that waits costs the plan nothing") {
  start();
  std::vector<task_spec> rows{node("a")};
  for (int i = 0; i < 2'000; ++i) rows.push_back(node("", {"a"}));
  const auto ids = take(rows);
  advance_beating({w}, 3s); // scans
  CHECK(meters->planned.Value() == 1);
  CHECK(find(s, ids[5]).state == task_state::scheduled);
  end(ids[0]);
  CHECK(w->assigned().size() == 100); // its credit, less the one that a left
}

TEST_CASE_METHOD(graphs, "the edge says what becomes of a child, and its own children hear of it") {
  start();
  auto a = node("a");
  a.max_attempts = 1;
  const auto ids = take({a, node("cancelled", {"a"}), node("failed", {"a"}, otherwise_do::fail), node("run", {"a"}, otherwise_do::run),
                         node("any", {"a"}, otherwise_do::cancel, awaited_end::finished), node("below", {"cancelled"}),
                         node("further", {"below"}, otherwise_do::fail)});
  end(ids[0], run_outcome::failed);
  const auto is = [&](std::size_t i, task_state state, const std::string& reason) {
    const auto r = stored(ids[i]);
    INFO(i << " is " << to_string(r.state) << " " << r.reason);
    CHECK(r.state == state);
    CHECK(r.reason == reason);
  };
  is(1, task_state::cancelled, "dependency");
  is(2, task_state::failed, "dependency");
  CHECK(handed_out(ids[3]));
  CHECK(handed_out(ids[4]));
  is(5, task_state::cancelled, "dependency");
  is(6, task_state::failed, "dependency");
  CHECK(stored(ids[6]).error->message == "it was to run after task " + ids[5].str() + ", which ended cancelled");
  for (std::size_t i : {1, 2, 5, 6}) CHECK_FALSE(handed_out(ids[i]));
}

TEST_CASE_METHOD(graphs, "a retry of the parent is no end, its last attempt is") {
  start();
  auto a = node("a");
  a.max_attempts = 2;
  const auto ids = take({a, node("b", {"a"})});
  end(ids[0], run_outcome::failed);
  CHECK(stored(ids[1]).waits_for == 1);
  advance_beating({w}, 2s);
  end(ids[0]);
  CHECK(handed_out(ids[1]));
}

TEST_CASE_METHOD(graphs, "cancelling a parent cascades, cancelling a child lets the parent run on") {
  start(0);
  const auto ids = take({node("a"), node("b", {"a"}), node("c", {"b"}), node("d", {"a"})});
  auto verdict = ask<cancel_answer>(c.actor, cancel_atom::value, ids[3]);
  REQUIRE(verdict);
  CHECK(verdict->cancelled);
  CHECK(stored(ids[3]).reason == "cancelled");
  verdict = ask<cancel_answer>(c.actor, cancel_atom::value, ids[0]);
  REQUIRE(verdict);
  CHECK(verdict->cancelled);
  CHECK(stored(ids[1]).reason == "dependency");
  CHECK(stored(ids[2]).reason == "dependency");
}

TEST_CASE_METHOD(graphs, "after an end that was recorded by the last leader the next one tells the children") {
  start();
  const auto ids = take({node("a"), node("b", {"a"}), node("c", {"b"})});
  end(ids[0]);
  REQUIRE(handed_out(ids[1]));
  // Its write lane's answers stop coming: the end of b is recorded, and nobody is told.
  c.writes->hold = true;
  end(ids[1]);
  CHECK(stored(ids[1]).state == task_state::succeeded);
  CHECK(stored(ids[2]).waits_for == 1);
  kill(c);
  c = start_coordinator("c1");
  advance(4s);
  w = connect(c, "w2", 10);
  advance_beating({w}, 2s);
  CHECK(stored(ids[2]).waits_for == 0);
}

TEST_CASE_METHOD(graphs, "a decided end survives the leader that was to record it") {
  start();
  auto a = node("a");
  a.max_attempts = 1;
  const auto ids = take({a, node("b", {"a"}), node("c", {"b"})});
  end(ids[0], run_outcome::failed);
  // Undo: as if the leader had died between the page and the finish. The row says what is to become of it.
  REQUIRE(stored(ids[1]).state == task_state::cancelled);
  const auto more = take({node("x", {ids[0].str()})});
  CHECK(stored(more[0]).reason == "dependency");
  c.writes->hold = true;
  const auto last = take({node("y", {ids[0].str()}), node("z", {"y"})});
  kill(c);
  c = start_coordinator("c1");
  advance(4s);
  CHECK(stored(last[0]).reason == "dependency");
  CHECK(stored(last[1]).reason == "dependency");
}

TEST_CASE_METHOD(graphs, "waiting for what has ended, for what runs, and for nobody") {
  start();
  const auto first = take({node("")});
  end(first[0]);
  auto ids = take({node("", {first[0].str()})});
  CHECK(handed_out(ids[0])); // at once
  ids = take({node("", {ids[0].str()})});
  CHECK_FALSE(handed_out(ids[0]));
  submit_request request;
  request.specs = {node("p"), node("q", {"p", "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1"}), node("free")};
  const auto answer = ask<submit_answer>(s, submit_atom::value, request);
  REQUIRE(answer);
  CHECK(answer->at(0).refused);
  REQUIRE(answer->at(1).refused);
  CHECK(answer->at(1).refused->faults.at(0).field == "/after/1");
  CHECK_FALSE(answer->at(2).refused);
}

TEST_CASE_METHOD(graphs, "many rows that wait for one task of before are stored together, and one that names nobody is refused alone") {
  start();
  const auto first = take({node("")});
  submit_request request;
  for (int i = 0; i < 50; ++i) request.specs.push_back(node("", {first[0].str()}));
  for (const auto i : {7, 31}) request.specs[static_cast<std::size_t>(i)].after[0].task = "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1";
  const auto answer = ask<submit_answer>(s, submit_atom::value, request);
  REQUIRE(answer);
  for (std::size_t i = 0; i < 50; ++i) {
    INFO(i);
    CHECK(answer->at(i).refused.has_value() == (i == 7 || i == 31));
  }
  CHECK(answer->at(7).refused->faults.at(0).field == "/after/0");
  end(first[0]);
  CHECK(w->assigned().size() == 49);
}

TEST_CASE_METHOD(graphs, "a graph that a lost announce did not tell of starts within a second or so") {
  start();
  auto other = start_scheduler(coordinator_actor{c.actor});
  const auto first = take({node("")});
  // Stored by somebody else, as taskmaster.submit() does.
  new_task late;
  late.id = uuid::make(wall());
  late.spec = spec();
  late.after.push_back({first[0], {}, {}, {}});
  REQUIRE(store->insert_graph({late}, 1s));
  end(first[0]);
  advance_beating({w}, 1'500ms);
  CHECK(handed_out(late.id));
}

TEST_CASE_METHOD(graphs, "a child put back to work by hand runs, whatever its parent did") {
  start();
  auto a = node("a");
  a.max_attempts = 1;
  const auto ids = take({a, node("b", {"a"})});
  end(ids[0], run_outcome::failed);
  REQUIRE(stored(ids[1]).reason == "dependency");
  REQUIRE(ask<reopen_answer>(c.actor, retry_atom::value, ids[1], caf::timespan(0)));
  CHECK(handed_out(ids[1]));
  end(ids[1]);
  CHECK(stored(ids[1]).state == task_state::succeeded);
}

TEST_CASE_METHOD(graphs, "explain names what a task waits for") {
  start(0);
  std::vector<task_spec> rows;
  auto last = node("last");
  for (int i = 0; i < 25; ++i) {
    rows.push_back(node("r" + std::to_string(i)));
    last.after.push_back({"r" + std::to_string(i), "", {}, {}});
  }
  rows.push_back(last);
  const auto ids = take(rows);
  const auto why = ask<explain_answer>(s, explain_atom::value, ids.back());
  REQUIRE(why);
  CHECK(why->state == task_state::scheduled);
  REQUIRE_FALSE(why->reasons.empty());
  CHECK(why->reasons[0].code == "after");
  CHECK(why->reasons[0].detail == "it starts after 25 tasks that have not ended");
  CHECK(why->reasons[0].waits_for.size() == 20);
  for (const auto& r : why->reasons) CHECK(r.code != "not_due");
}

TEST_CASE_METHOD(graphs, "ten thousand children in a request, and one who waits for all of them") {
  start(1'000);
  auto root = node("root"), last = node("last");
  last.after.push_back({"", "all", awaited_end::succeeded, otherwise_do::cancel});
  std::vector<task_spec> rows{root};
  for (int i = 0; i < 9'998; ++i) {
    rows.push_back(node("", {"root"}));
    rows.back().options.group = "all";
  }
  rows.push_back(last);
  const auto ids = take(rows);
  CHECK(stored(ids.back()).waits_for == 9'998);
  std::size_t n = 0;
  for (int i = 0; i < 30 && stored(ids.back()).state != task_state::succeeded; ++i) {
    n += end_all();
    advance_beating({w}, 1s);
  }
  CHECK(n == 10'000);
  CHECK(stored(ids.back()).state == task_state::succeeded);
  for (const auto& a : w->assigned())
    if (a.what.what.task == ids.back()) CHECK(a.what.what.fence == w->assigned().back().what.what.fence);
}

TEST_CASE_METHOD(graphs, "a change that is refused, or fails, while a task waits for others does not keep it from running") {
  start();
  const auto ids = take({node("a"), node("b", {"a"})});
  edit_request request;
  request.id = ids[1];
  SECTION("refused: its time is not its own yet") {
    request.what.to.delay = 1s;
    request.what.fields = {"delay"};
    const auto answer = ask<edit_answer>(c.actor, edit_atom::value, request);
    REQUIRE_FALSE(answer);
    CHECK(answer.failure().code == ec::unprocessable);
  }
  SECTION("not written") {
    request.what.to.priority = 3;
    request.what.fields = {"priority"};
    c.writes->fail = true;
    CHECK_FALSE(ask<edit_answer>(c.actor, edit_atom::value, request));
    c.writes->fail = false;
  }
  advance_beating({w}, 1s);
  end(ids[0]);
  advance_beating({w}, 2s);
  CHECK(handed_out(ids[1]));
}
