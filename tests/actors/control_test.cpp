// Control of tasks through a whole cluster in virtual time: changes by hand over an ambiguous database, replacement by a unique key,
// checkpoints through lost workers and leaders, dead letters at a rate.
#include "tests/actors/cluster_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

edit_request change(const uuid& id, std::initializer_list<std::string> fields, task_spec to) { return {id, {std::move(to), fields}}; }

edit_request priority(const uuid& id, std::int32_t p) {
  task_spec to;
  to.priority = p;
  return change(id, {"priority"}, to);
}

task_spec unique(unique_policy policy, std::int64_t payload, unique_scope scope = {}) {
  auto s = cluster_fixture::spec();
  s.unique_key = "u";
  s.options.policy = policy;
  s.options.scope = scope;
  s.payload = std::to_string(payload);
  s.delay = 1h;
  return s;
}

inserted submitted(cluster_fixture& c, const scheduler_actor& s, task_spec what) {
  auto answer = c.ask<submit_answer>(s, submit_atom::value, submit_request{{std::move(what)}});
  REQUIRE(answer);
  return answer->at(0);
}

heartbeat report(const assignment& a, const std::string& checkpoint) {
  return {1, {{a.what.what.task, a.what.what.fence, R"({"percent": 5, "message": "x"})", std::make_shared<const std::string>(checkpoint)}}};
}

} // namespace

TEST_CASE("a waiting task is changed and shown as changed; one that runs or has ended is left alone", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  auto what = c.spec();
  what.delay = 1h;
  const auto id = c.submit(s, what);
  auto now = c.ask<find_answer>(s, edit_atom::value, priority(id, 7));
  REQUIRE(now);
  CHECK(now->task.priority == 7);
  CHECK(now->state == task_state::scheduled);
  task_spec soon;
  soon.delay = duration{0};
  REQUIRE(c.ask<find_answer>(s, edit_atom::value, change(id, {"delay"}, soon)));
  auto worker = c.connect(one, "w", 1);
  REQUIRE(worker->assigned().size() == 1);
  now = c.ask<find_answer>(s, edit_atom::value, priority(id, 3));
  REQUIRE_FALSE(now);
  CHECK(now.failure().code == ec::conflict);
  c.say(*worker, finished_tasks{{c.result_of(worker->assigned()[0])}});
  now = c.ask<find_answer>(s, edit_atom::value, priority(id, 3));
  REQUIRE_FALSE(now);
  CHECK(now.failure().code == ec::conflict);
  CHECK(c.stored(id).task.priority == 7);
  now = c.ask<find_answer>(s, edit_atom::value, priority(uuid{}, 3));
  REQUIRE_FALSE(now);
  CHECK(now.failure().code == ec::not_found);
}

TEST_CASE("replace makes the waiting holder of the key the new task, and leaves a running one alone", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  const auto first = submitted(c, s, unique(unique_policy::replace, 1));
  REQUIRE_FALSE(first.repeated);
  auto second = unique(unique_policy::replace, 2);
  second.delay = duration{0};
  second.kind = "other";
  const auto again = submitted(c, s, second);
  CHECK(again.repeated);
  CHECK(again.task.id == first.task.id);
  CHECK(*c.stored(first.task.id).task.payload == "2");
  auto worker = c.connect(one, "w", 5, {}, {"k", "other"});
  auto given = worker->assigned();
  REQUIRE(given.size() == 1);
  CHECK(given[0].kind == "other");
  const auto third = submitted(c, s, unique(unique_policy::replace, 3)); // until finished: the running one is the answer
  CHECK(third.repeated);
  CHECK(*c.stored(first.task.id).task.payload == "2");
  c.say(*worker, finished_tasks{{c.result_of(given[0])}});
  const auto fourth = submitted(c, s, unique(unique_policy::replace, 4));
  CHECK_FALSE(fourth.repeated);
}

TEST_CASE("replace without a leader is refused with nothing done, and refuse says who holds the key", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  const auto first = submitted(c, s, unique(unique_policy::return_first, 1));
  const auto refused = submitted(c, s, unique(unique_policy::refuse, 2));
  REQUIRE(refused.refused);
  CHECK(refused.refused->code == ec::conflict);
  c.kill(one);
  const auto alone = submitted(c, s, unique(unique_policy::replace, 3));
  REQUIRE(alone.refused);
  CHECK(alone.refused->code == ec::unavailable);
  CHECK(*c.stored(first.task.id).task.payload == "1");
}

TEST_CASE("while_waiting: who submits once the first is handed out gets a task of its own", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  auto what = unique(unique_policy::return_first, 1, unique_scope::while_waiting);
  what.delay = duration{0};
  const auto first = submitted(c, s, what);
  CHECK(submitted(c, s, what).task.id == first.task.id);
  auto worker = c.connect(one, "w", 1);
  REQUIRE(worker->assigned().size() == 1);
  CHECK(worker->assigned()[0].what.what.task == first.task.id);
  const auto second = submitted(c, s, what);
  CHECK_FALSE(second.repeated);
  CHECK(second.task.id != first.task.id);
}

TEST_CASE("a checkpoint survives its worker and its leader", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  auto two = c.start_coordinator("two");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  const auto id = c.submit(s, c.spec());
  auto worker = c.connect(one, "w", 1);
  REQUIRE(worker->assigned().size() == 1);
  const auto first = worker->assigned()[0];
  c.say(*worker, started_tasks{{{id, first.what.what.fence, {}}}});
  c.say(*worker, report(first, R"({"row": 7})"));
  CHECK(c.find(s, id).progress == R"({"message":"x","percent":5})");
  c.advance_beating({worker}, 1500ms); // kept within a second
  c.kill(one);
  caf::anon_send(worker->proxy, stop_atom::value);
  c.advance(8s);
  auto other = c.connect(two, "other", 1);
  c.advance_beating({other}, 4s);
  REQUIRE(other->assigned().size() == 1);
  REQUIRE(other->assigned()[0].checkpoint);
  CHECK(*other->assigned()[0].checkpoint == R"({"row": 7})");
}

TEST_CASE("a report over the limit is told, and the checkpoint before it stays", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  const auto id = c.submit(s, c.spec());
  auto worker = c.connect(one, "w", 2);
  const auto first = worker->assigned().at(0);
  c.say(*worker, report(first, "1"));
  c.say(*worker, report(first, "\"" + std::string(limits::checkpoint_bytes, 'x') + "\""));
  c.say(*worker, heartbeat{2, {{id, first.what.what.fence, "no JSON", nullptr}}});
  std::vector<progress_fault> told;
  for (const auto& a : worker->all<heartbeat_answer>()) told.insert(told.end(), a.faults.begin(), a.faults.end());
  REQUIRE(told.size() == 2);
  CHECK(told[0].task == id);
  CHECK(told[0].message.find("the limit is 65536") != std::string::npos);
  CHECK(c.find(s, id).progress == R"({"message":"x","percent":5})");
  c.say(*worker, finished_tasks{{c.result_of(first, run_outcome::failed)}});
  c.advance_beating({worker}, 2s);
  REQUIRE(worker->assigned().size() == 2);
  CHECK(*worker->assigned()[1].checkpoint == "1");
}

TEST_CASE("dead letters are run again at the rate that was asked for", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  auto worker = c.connect(one, "w", 100);
  auto what = c.spec();
  what.max_attempts = 1;
  for (int i = 0; i < 20; ++i) c.submit(s, what);
  finished_tasks all;
  for (const auto& a : worker->assigned()) all.results.push_back(c.result_of(a, run_outcome::failed));
  REQUIRE(all.results.size() == 20);
  c.say(*worker, std::move(all));
  bulk_request again;
  again.what = bulk_request::verb::retry;
  again.filter.reason = "attempts_exhausted";
  again.rate = rate_limit{4, 1s, 1};
  auto counts = c.ask<bulk_answer>(s, bulk_atom::value, again);
  REQUIRE(counts);
  CHECK(counts->changed == 20);
  for (int second = 1; second <= 5; ++second) {
    c.advance_beating({worker}, 1s);
    const auto given = worker->assigned().size() - 20;
    CHECK(given >= static_cast<std::size_t>(4 * second - 3));
    CHECK(given <= static_cast<std::size_t>(4 * second + 1));
  }
  again.rate = rate_limit{1, std::chrono::hours(24), 1};
  again.filter.reason = "nothing";
  CHECK(c.ask<bulk_answer>(s, bulk_atom::value, again)->matched == 0);
}

TEST_CASE("a silent run is cancelled at its worker and ends as timeout with code heartbeat", "[control]") {
  cluster_fixture c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto s = c.start_scheduler(one.actor);
  auto what = c.spec();
  what.max_attempts = 1;
  what.options.heartbeat_timeout = 5s;
  const auto id = c.submit(s, what);
  auto worker = c.connect(one, "w", 1);
  const auto first = worker->assigned().at(0);
  c.say(*worker, started_tasks{{{id, first.what.what.fence, {}}}});
  c.advance_beating({worker}, 4s);
  CHECK(worker->all<cancel_run>().empty());
  c.advance_beating({worker}, 3s);
  REQUIRE(worker->all<cancel_run>().size() == 1);
  c.say(*worker, finished_tasks{{c.result_of(first, run_outcome::cancelled)}});
  const auto r = c.stored(id);
  CHECK(r.state == task_state::failed);
  CHECK(r.reason == "timeout");
  REQUIRE(r.error);
  CHECK(r.error->code == "heartbeat");
}
