// The rules that take more than the plan: leadership, sessions, acknowledgements, takeover. Virtual time, real actors.
#include "tests/actors/cluster_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(cluster_fixture, "a task goes its whole way: stored, announced, handed out, recorded, acknowledged") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  REQUIRE(w->all<welcome>().size() == 1);
  const auto id = submit(s, spec());
  REQUIRE(w->assigned().size() == 1); // by the announce, without any time passing
  CHECK(find(s, id).state == task_state::running);
  say(*w, finished_tasks{{result_of(w->assigned()[0], run_outcome::succeeded, R"({"n":1})")}});
  REQUIRE(w->acks().size() == 1);
  CHECK_FALSE(w->acks()[0].stale);
  const auto record = find(s, id);
  CHECK(record.state == task_state::succeeded);
  CHECK(record.result == R"({"n":1})");
  CHECK(record.fence == w->assigned()[0].what.what.fence);
}

TEST_CASE_METHOD(cluster_fixture, "R1: of two coordinators one leads, and the other leads with a higher term when it is gone") {
  auto c0 = start_coordinator("c0");
  advance(1s);
  auto c1 = start_coordinator("c1");
  advance(5s);
  const auto term = c0.view->term();
  CHECK(term != 0);
  CHECK(c1.view->term() == 0);
  CHECK(c1.view->leader() == "c0:1");
  kill(c0);
  advance(3s);
  CHECK(c1.view->term() > term);
}

TEST_CASE_METHOD(cluster_fixture, "a standby names the leader; it does not answer that nothing runs and nobody is there") {
  auto c0 = start_coordinator("c0");
  advance(1s);
  auto c1 = start_coordinator("c1");
  advance(1s);
  CHECK(ask<live_answer>(c0.actor, live_atom::value, live_request{}));
  CHECK(ask<workers_answer>(c0.actor, workers_atom::value));
  const auto live = ask<live_answer>(c1.actor, live_atom::value, live_request{});
  REQUIRE_FALSE(live);
  CHECK(live.failure().code == ec::not_leader);
  const auto workers = ask<workers_answer>(c1.actor, workers_atom::value);
  REQUIRE_FALSE(workers);
  CHECK(workers.failure().code == ec::not_leader);
}

TEST_CASE_METHOD(cluster_fixture, "R2: nothing is loaded before the answer to the acquisition is here") {
  auto c = start_coordinator("c0", true);
  advance(1s);
  REQUIRE(c.lease->held.size() == 1);
  CHECK(c.reads->held.empty());
  CHECK(c.writes->held.empty());
  c.lease->release();
  settle();
  CHECK(c.writes->held.size() == 1); // its write lane is enlisted first
  CHECK(c.reads->held.empty());
  c.writes->release();
  settle();
  CHECK(c.reads->held.size() == 1);
}

TEST_CASE_METHOD(cluster_fixture, "R3: a leader whose renewals are not answered stops handing out before its lease runs out") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 5);
  c.lease->hold = true;
  advance_beating({w}, 1'500ms);
  CHECK_FALSE(c.view->trusted(now()));
  submit(s, spec());
  advance(100ms);
  CHECK(w->assigned().empty());
}

TEST_CASE_METHOD(cluster_fixture, "R4: a deposed leader's outcome changes nothing and its worker is sent to the next one") {
  auto c0 = start_coordinator("c0");
  auto s = start_scheduler(c0.actor);
  advance(1s);
  auto w = connect(c0, "w", 1);
  const auto id = submit(s, spec());
  const auto given = w->assigned();
  REQUIRE(given.size() == 1);
  // Another coordinator takes the lease behind its back (a clock that was set, a database that failed over).
  REQUIRE(store->resign(c0.view->term(), 1s));
  const auto lease = store->acquire("c1", "c1:1", 10s, 1s);
  REQUIRE(lease);
  REQUIRE(lease->has_value());
  say(*w, finished_tasks{{result_of(given[0])}});
  CHECK(w->acks().empty());
  CHECK(w->closed);
  CHECK(stored(id).state == task_state::ready);
}

TEST_CASE_METHOD(cluster_fixture, "acknowledged only after commit (S9)") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  submit(s, spec());
  c.writes->hold = true;
  say(*w, finished_tasks{{result_of(w->assigned().at(0))}});
  CHECK(w->acks().empty());
  c.writes->release();
  settle();
  CHECK(w->acks().size() == 1);
}

TEST_CASE_METHOD(cluster_fixture, "R8: a scan that is under way while a task finishes does not run it again (S1)") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  c.reads->hold = true;
  submit(s, spec());
  advance_beating({w}, 1s); // the scan of this second has read the row and its answer waits
  REQUIRE_FALSE(c.reads->held.empty());
  say(*w, finished_tasks{{result_of(w->assigned().at(0))}, 1});
  c.reads->release();
  settle();
  advance_beating({w}, 3s);
  CHECK(w->assigned().size() == 1);
}

TEST_CASE_METHOD(cluster_fixture, "R9: what is cancelled in a leader's first moment stays cancelled when its announce comes late") {
  auto c = start_coordinator("c0");
  advance(1ms);
  REQUIRE(c.view->term() != 0);
  new_task t;
  t.id = uuid::make(wall());
  t.spec = spec();
  const auto row = store->insert({t}, 1s)->at(0).task;
  REQUIRE(ask<cancel_answer>(c.actor, cancel_atom::value, t.id)->cancelled);
  advance(300ms); // ticks go by, which sweep tombstones
  caf::anon_send(c.actor, announce_atom::value, announcement{{row}, false});
  settle();
  auto w = connect(c, "w", 1);
  advance_beating({w}, 200ms);
  CHECK(w->assigned().empty());
}

TEST_CASE_METHOD(cluster_fixture, "R10: a stream that was followed by a newer one before its welcome takes nothing from that") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto first = connect(c, "w", 1);
  const auto id = submit(s, spec());
  const auto run = first->assigned().at(0);
  c.writes->hold = true; // the welcome waits for the session's row
  auto second = connect(c, "w", 0, {run.what});
  auto third = connect(c, "w", 0, {run.what});
  c.writes->release();
  settle();
  CHECK(second->all<welcome>().empty());
  REQUIRE(third->all<welcome>().size() == 1);
  CHECK(third->all<welcome>()[0].keep.size() == 1);
  say(*third, finished_tasks{{result_of(run)}});
  REQUIRE(third->acks().size() == 1);
  CHECK_FALSE(third->acks()[0].stale);
  CHECK(stored(id).state == task_state::succeeded);
}

TEST_CASE_METHOD(cluster_fixture, "the scan finds within a second what no announce brought (S5)") {
  auto c = start_coordinator("c0");
  advance(1s);
  auto w = connect(c, "w", 1);
  new_task t;
  t.id = uuid::make(wall());
  t.spec = spec();
  REQUIRE(store->insert({t}, 1s));
  advance_beating({w}, 1'100ms);
  CHECK(w->assigned().size() == 1);
}

TEST_CASE_METHOD(cluster_fixture, "a task due later is handed out when its time has come and not before") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  auto later = spec();
  later.delay = 2s;
  const auto id = submit(s, later);
  advance_beating({w}, 1'999ms);
  CHECK(w->assigned().empty());
  CHECK(find(s, id).state == task_state::scheduled);
  advance(3ms);
  REQUIRE(w->assigned().size() == 1);
  CHECK(w->assigned()[0].run_at <= wall());
}

TEST_CASE_METHOD(cluster_fixture, "R10: a worker's newer stream closes the older one, and nothing more is assigned there (S6, S7)") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto old = connect(c, "w", 1);
  const auto id = submit(s, spec());
  REQUIRE(old->assigned().size() == 1);
  auto fresh = connect(c, "w", 1); // names nothing: what it was sent never reached it
  CHECK(old->closed);
  REQUIRE(fresh->assigned().size() == 1);
  CHECK(fresh->assigned()[0].what.what.fence > old->assigned()[0].what.what.fence);
  CHECK(fresh->assigned()[0].what.what.losses == 0);
  say(*fresh, finished_tasks{{result_of(old->assigned()[0])}}); // the older fence
  CHECK(fresh->acks().at(0).stale);
  CHECK(stored(id).state == task_state::ready);
}

TEST_CASE_METHOD(cluster_fixture, "a worker that comes back within the grace keeps what it names") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto old = connect(c, "w", 1);
  const auto id = submit(s, spec());
  const auto given = old->assigned().at(0);
  caf::anon_send(old->proxy, stop_atom::value); // the stream breaks
  advance(1s);
  auto fresh = connect(c, "w", 0, {given.what});
  REQUIRE(fresh->all<welcome>().size() == 1);
  CHECK(fresh->all<welcome>()[0].keep.size() == 1);
  say(*fresh, finished_tasks{{result_of(given)}});
  CHECK(stored(id).state == task_state::succeeded);
  CHECK(stored(id).task.losses == 0);
}

TEST_CASE_METHOD(cluster_fixture, "missed heartbeats end a session; its task runs elsewhere and the sleeper's result changes nothing") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto frozen = connect(c, "frozen", 1);
  const auto id = submit(s, spec());
  const auto given = frozen->assigned().at(0);
  auto other = connect(c, "other", 1);
  advance_beating({other}, 6s);
  CHECK(frozen->closed);
  REQUIRE(other->assigned().size() == 1);
  CHECK(other->assigned()[0].what.what.losses == 1);
  say(*other, finished_tasks{{result_of(other->assigned()[0], run_outcome::succeeded, "2")}});
  auto awake = connect(c, "frozen", 0, {given.what});
  CHECK(awake->all<welcome>().at(0).drop.size() == 1);
  say(*awake, finished_tasks{{result_of(given, run_outcome::succeeded, "1")}});
  CHECK(awake->acks().at(0).stale);
  CHECK(stored(id).result == "2");
}

TEST_CASE_METHOD(cluster_fixture, "R11: after a takeover a running task is adopted, not run again") {
  auto c0 = start_coordinator("c0");
  auto s0 = start_scheduler(c0.actor);
  advance(1s);
  auto w = connect(c0, "w", 2);
  const auto id = submit(s0, spec());
  const auto given = w->assigned().at(0);
  auto c1 = start_coordinator("c1");
  kill(c0);
  for (int i = 0; i < 40 && c1.view->term() == 0; ++i) advance(50ms);
  advance(50ms);
  auto back = connect(c1, "w", 1, {given.what});
  REQUIRE(back->all<welcome>().size() == 1);
  CHECK(back->all<welcome>()[0].keep.size() == 1);
  advance_beating({back}, 3s);
  CHECK(back->assigned().empty());
  say(*back, finished_tasks{{result_of(given, run_outcome::succeeded, "1")}});
  CHECK(stored(id).state == task_state::succeeded);
}

TEST_CASE_METHOD(cluster_fixture, "after a takeover a task that nobody claims is handed out when the grace is over") {
  auto c0 = start_coordinator("c0");
  auto s0 = start_scheduler(c0.actor);
  advance(1s);
  auto w = connect(c0, "gone", 1);
  const auto id = submit(s0, spec());
  REQUIRE(w->assigned().size() == 1);
  auto c1 = start_coordinator("c1");
  kill(c0);
  for (int i = 0; i < 40 && c1.view->term() == 0; ++i) advance(50ms);
  auto other = connect(c1, "other", 1);
  advance_beating({other}, 750ms);
  CHECK(other->assigned().empty());
  advance_beating({other}, 500ms);
  REQUIRE(other->assigned().size() == 1);
  CHECK(other->assigned()[0].what.what.task == id);
}

TEST_CASE_METHOD(cluster_fixture, "R14: heartbeats are answered only under a trusted lease") {
  auto c = start_coordinator("c0");
  advance(1s);
  auto w = connect(c, "w", 1);
  say(*w, heartbeat{7, {}});
  CHECK(w->all<heartbeat_answer>().size() == 1);
  c.view->clear();
  say(*w, heartbeat{8, {}});
  CHECK(w->all<heartbeat_answer>().size() == 1);
}

TEST_CASE_METHOD(cluster_fixture, "a result that was recorded but not acknowledged is acknowledged when it is sent again") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  submit(s, spec());
  const auto given = w->assigned().at(0);
  say(*w, finished_tasks{{result_of(given)}});
  REQUIRE(w->acks().size() == 1);
  say(*w, finished_tasks{{result_of(given)}});
  REQUIRE(w->acks().size() == 2);
  CHECK_FALSE(w->acks()[1].stale);
}

TEST_CASE_METHOD(cluster_fixture, "R16: of a run whose start was never told the result says that it began: at most once, it does not run again") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  auto once = spec();
  once.delivery = delivery_mode::at_most_once;
  submit(s, once);
  REQUIRE(w->assigned().size() == 1);
  auto stopped = result_of(w->assigned()[0], run_outcome::cancelled); // by the worker's own drain
  stopped.began_ago = 5ms;
  say(*w, finished_tasks{{stopped}, 1});
  advance_beating({w}, 3s);
  CHECK(w->assigned().size() == 1);
}

TEST_CASE_METHOD(cluster_fixture, "outcomes that the database does not take at once are recorded when it does") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  const auto id = submit(s, spec());
  auto wait = self->request(s, caf::infinite, wait_atom::value, id, caf::timespan(30s));
  settle();
  say(*w, finished_tasks{{result_of(w->assigned().at(0))}});
  bool finished = false;
  wait.receive([&](const wait_answer& a) { finished = a && a->finished; }, [](const caf::error&) {});
  CHECK(finished);
}

TEST_CASE_METHOD(cluster_fixture, "R7: a row that has to be read again is read until the database answers") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 2);
  const auto id = submit(s, spec());
  const auto given = w->assigned().at(0);
  // Committed while the answer was lost: the same change, sent again, finds another version.
  task_change retry;
  retry.what = task_change::type::retry;
  retry.id = id;
  retry.version = {1, 0};
  retry.fence = given.what.what.fence;
  REQUIRE(store->record(c.view->term(), {retry}, 1s));
  advance_beating({w}, 1'100ms); // the scan meets the new version while the plan waits for its own change; no later scan reads it
  c.reads->fail = true;
  say(*w, finished_tasks{{result_of(given, run_outcome::failed)}});
  c.reads->fail = false;
  advance_beating({w}, 3s);
  REQUIRE(w->assigned().size() == 2);
  CHECK(w->assigned()[1].what.what.task == id);
  CHECK(w->assigned()[1].what.what.attempt == 2);
}

TEST_CASE_METHOD(cluster_fixture, "cancel: a waiting task is cancelled, a running one is told, a finished one is a conflict") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  const auto running = submit(s, spec());
  auto later = spec();
  later.delay = 1h;
  const auto waiting = submit(s, later);
  auto answer = ask<cancelled_answer>(s, cancel_atom::value, waiting);
  REQUIRE(answer);
  CHECK(answer->cancelled);
  CHECK(answer->record.state == task_state::cancelled);
  answer = ask<cancelled_answer>(s, cancel_atom::value, running);
  REQUIRE(answer);
  CHECK_FALSE(answer->cancelled);
  REQUIRE(w->all<cancel_run>().size() == 1);
  say(*w, finished_tasks{{result_of(w->assigned().at(0), run_outcome::cancelled)}});
  CHECK(stored(running).state == task_state::cancelled);
  answer = ask<cancelled_answer>(s, cancel_atom::value, running);
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().code == ec::conflict);
}

TEST_CASE_METHOD(cluster_fixture, "retry by hand keeps the id and runs again with the next attempt") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 2);
  auto once = spec();
  once.max_attempts = 1;
  const auto id = submit(s, once);
  say(*w, finished_tasks{{result_of(w->assigned().at(0), run_outcome::failed)}});
  CHECK(stored(id).state == task_state::failed);
  REQUIRE(ask<find_answer>(s, retry_atom::value, id));
  REQUIRE(w->assigned().size() == 2);
  CHECK(w->assigned()[1].what.what.attempt == 2);
  say(*w, finished_tasks{{result_of(w->assigned()[1])}});
  CHECK(stored(id).state == task_state::succeeded);
  const auto attempts = ask<attempts_answer>(s, attempts_atom::value, id);
  REQUIRE(attempts);
  CHECK(attempts->size() == 2);
}

TEST_CASE_METHOD(cluster_fixture, "bulk: a cancel counts, then cancels what waits and tells what runs; a retry brings the failed ones back") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 3);
  auto mine = spec();
  mine.labels["batch"] = "b1";
  mine.max_attempts = 1;
  std::vector<uuid> ids;
  for (int n = 0; n < 6; ++n) ids.push_back(submit(s, mine));
  auto later = mine;
  later.run_at = wall() + 1h;
  ids.push_back(submit(s, later));
  const auto other = submit(s, spec());
  REQUIRE(w->assigned().size() == 3);

  bulk_request all;
  all.filter.labels = mine.labels;
  all.dry_run = true;
  auto counts = ask<bulk_answer>(s, bulk_atom::value, all);
  REQUIRE(counts);
  CHECK(counts->matched == 7);
  CHECK(counts->changed == 0);
  CHECK(find(s, ids.back()).state == task_state::scheduled);

  all.dry_run = false;
  counts = ask<bulk_answer>(s, bulk_atom::value, all);
  REQUIRE(counts);
  CHECK(counts->matched == 7);
  CHECK(counts->changed == 7);
  CHECK(w->all<cancel_run>().size() == 3);
  for (const auto& a : w->assigned()) say(*w, finished_tasks{{result_of(a, run_outcome::failed)}});
  advance(10ms); // the last of them are recorded together
  for (const auto& id : ids) CHECK(stored(id).state == task_state::cancelled);
  CHECK(find(s, other).state != task_state::cancelled);

  all.what = bulk_request::verb::retry;
  all.filter.state = task_state::cancelled;
  counts = ask<bulk_answer>(s, bulk_atom::value, all);
  REQUIRE(counts);
  CHECK(counts->changed == 7);
  all.filter.state.reset(); // the failed ones: there are none
  counts = ask<bulk_answer>(s, bulk_atom::value, all);
  REQUIRE(counts);
  CHECK(counts->matched == 0);
}
