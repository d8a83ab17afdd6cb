// The rules of the protocol that the plan keeps, one or more tests each. The stories S1 to S16 name what happens without the rule.
#include "tests/actors/plan_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("R8: a scan that was under way when a task finished does not bring it back (S1)") {
  plan_fixture f;
  f.worker(1, 1);
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  const auto scan = f.p.open_read();
  REQUIRE(f.p.finished(1, f.result_of(given[0])) == plan::result_verdict::settling);
  f.record();
  f.pass(60s); // longer than any age: only the open scan keeps the tombstone
  f.p.credit(1, 1);
  f.p.scanned({row}, f.now);
  CHECK(f.dispatch().empty());
  f.p.close_read(scan);
  f.pass(60s);
  CHECK(f.p.count().tombstones == 0);
}

TEST_CASE("R8: a finished task that was put back to work without the leader's hearing of it is found by the scan") {
  plan_fixture f;
  f.worker(1, 1);
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  f.p.finished(1, f.result_of(given[0]));
  f.record();
  CHECK(f.p.recently_finished(row.id));
  // The answer to the reopening was lost; the next scan reads the row while the tombstone is fresh, and no later scan reads it again.
  auto again = row;
  again.attempt = 2;
  f.p.scanned({again}, f.now);
  CHECK_FALSE(f.p.recently_finished(row.id));
  f.p.credit(1, 1);
  CHECK(f.dispatch().size() == 1);
}

TEST_CASE("R9: an announce older than this leader's load, or too old, is left to the scan (S2, S3)") {
  plan_fixture f;
  CHECK_FALSE(f.announce(make_row(1, at(10), at(0))));   // created when the term before still led
  CHECK(f.announce(make_row(2, at(10), at(1))));
  f.now = at(10'000);
  CHECK_FALSE(f.announce(make_row(3, at(10), at(4'000)))); // six seconds on the way
  CHECK(f.p.count().entries == 1);
}

TEST_CASE("R9: a tombstone outlives every announce that could still be taken") {
  plan_fixture f;
  f.worker(1, 1);
  const auto row = make_row(1, at(990), at(990));
  f.announce(row);
  const auto given = f.dispatch();
  f.p.finished(1, f.result_of(given[0]));
  f.record();
  for (int i = 0; i < 100; ++i) {
    f.pass(100ms);
    f.announce(row);
    REQUIRE_FALSE(f.p.knows(row.id));
  }
}

TEST_CASE("R5: a result counts once; the same result again waits for the same commit, another fence is stale") {
  plan_fixture f;
  f.worker(1, 1);
  f.announce(make_row(1, at(500), at(500)));
  const auto given = f.dispatch();
  auto forged = f.result_of(given[0]);
  forged.what.what.fence.sequence += 1;
  CHECK(f.p.finished(1, forged) == plan::result_verdict::stale);
  CHECK(f.p.finished(1, f.result_of(given[0])) == plan::result_verdict::settling);
  CHECK(f.p.finished(1, f.result_of(given[0])) == plan::result_verdict::settling);
  const auto recorded = f.record();
  REQUIRE(recorded.changes.size() == 1);
  CHECK(recorded.settled.at(0).finished);
  CHECK(f.p.finished(1, f.result_of(given[0])) == plan::result_verdict::unknown); // history knows
}

TEST_CASE("R6: a failed attempt waits for its backoff and counts once; the last one ends the task") {
  plan_fixture f;
  f.worker(1, 1);
  auto row = make_row(1, at(500), at(500));
  row.max_attempts = 2;
  row.retry.jitter = 0;
  f.announce(row);
  auto given = f.dispatch();
  f.p.finished(1, f.result_of(given[0], run_outcome::failed));
  auto answer = f.record();
  REQUIRE(answer.changes.at(0).what == task_change::type::retry);
  CHECK(answer.changes.at(0).wait == 1s);
  f.p.credit(1, 1);
  f.pass(999ms);
  CHECK(f.dispatch().empty());
  f.pass(1ms);
  given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(given[0].what.what.attempt == 2);
  f.p.finished(1, f.result_of(given[0], run_outcome::failed));
  answer = f.record();
  CHECK(answer.changes.at(0).what == task_change::type::finish);
  CHECK(answer.changes.at(0).state == task_state::failed);
  CHECK(answer.changes.at(0).reason == "attempts_exhausted");
}

TEST_CASE("R6: a loss is committed before the task is handed out again, with a greater fence; too many are quarantined") {
  plan_options options;
  options.quarantine_after = 2;
  plan_fixture f(false, options);
  f.worker(1, 1);
  f.worker(2, 0, {"k"}, "j");
  f.announce(make_row(1, at(500), at(500)));
  const auto first = f.dispatch();
  REQUIRE(first.size() == 1);
  f.p.credit(2, 1);
  f.p.session_lost(1);
  f.p.close_session(1, 0, f.now);
  CHECK(f.dispatch().empty()); // not before the loss is recorded
  auto answer = f.record();
  REQUIRE(answer.changes.at(0).what == task_change::type::lose);
  const auto second = f.dispatch();
  REQUIRE(second.size() == 1);
  CHECK(second[0].what.what.losses == 1);
  CHECK(second[0].what.what.fence > first[0].what.what.fence);
  CHECK(f.p.finished(1, f.result_of(first[0])) == plan::result_verdict::stale);
  f.p.close_session(2, 0, f.now);
  answer = f.record();
  CHECK(answer.changes.at(0).state == task_state::failed);
  CHECK(answer.changes.at(0).reason == "quarantined");
}

TEST_CASE("R7: a change whose answer was lost is settled by reading the row") {
  plan_fixture f;
  f.worker(1, 1);
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  const auto given = f.dispatch();
  f.p.finished(1, f.result_of(given[0], run_outcome::failed));
  const auto answer = f.record(change_verdict::stale); // the first try had been applied after all
  REQUIRE(answer.read_again == std::vector<uuid>{row.id});
  CHECK_FALSE(f.p.knows(row.id));
  f.p.met(row, f.now); // an old read cannot bring attempt 1 back
  CHECK_FALSE(f.p.knows(row.id));
  auto retried = row;
  retried.attempt = 2;
  f.p.met(retried, f.now);
  CHECK(f.p.knows(row.id));
}

TEST_CASE("R7: what a client puts back to work while its end is being read stays") {
  plan_fixture f;
  f.worker(1, 1);
  auto row = make_row(1, at(500), at(500));
  f.announce(row);
  const auto given = f.dispatch();
  f.p.finished(1, f.result_of(given[0]));
  REQUIRE(f.record(change_verdict::stale).read_again.size() == 1); // another leader's commit; the row is not there when it is read
  row.attempt = 2;
  f.p.reopened(row, f.now);
  CHECK_FALSE(f.p.gone(row.id));
  f.p.credit(1, 1);
  CHECK(f.dispatch().size() == 1);
}

TEST_CASE("R10: what a worker does not name when it comes back was never received and is due again, without a loss") {
  plan_fixture f;
  f.worker(1, 2);
  f.announce(make_row(1, at(500), at(500)));
  f.announce(make_row(2, at(501), at(500)));
  const auto given = f.dispatch();
  REQUIRE(given.size() == 2);
  f.p.session_lost(1);
  f.worker(2, 0);
  CHECK(f.p.claimed(2, given[0].what.what, f.now) == plan::claim_verdict::keep);
  f.p.close_session(1, 2, f.now);
  CHECK(f.p.take_changes().empty());
  f.p.credit(2, 1);
  const auto again = f.dispatch();
  REQUIRE(again.size() == 1);
  CHECK(again[0].what.what.task == given[1].what.what.task);
  CHECK(f.p.finished(2, f.result_of(given[0])) == plan::result_verdict::settling);
}

TEST_CASE("R11: a claim is adopted only with the row's version") {
  plan_fixture f(true);
  f.p.scanned({make_row(1, at(-10), at(-10))}, f.now);
  f.worker(1, 0);
  claim c{make_row(1, at(0), at(0)).id, 1, 0, {19, 7}};
  auto other = c;
  other.attempt = 2;
  CHECK(f.p.claimed(1, other, f.now) == plan::claim_verdict::drop); // S16
  CHECK(f.p.claimed(1, c, f.now) == plan::claim_verdict::keep);
}

TEST_CASE("R11: who comes back with a run that is being recorded as lost has to drop it") {
  plan_fixture f;
  f.worker(1, 1);
  auto row = make_row(1, at(500), at(500));
  f.announce(row);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  f.p.close_session(1, 0, f.now);
  f.worker(2, 0);
  CHECK(f.p.claimed(2, given[0].what.what, f.now) == plan::claim_verdict::drop);
  const auto answer = f.record();
  REQUIRE(answer.settled.size() == 1);
  CHECK(answer.settled[0].session == 1);
}

TEST_CASE("R11: claims of older terms wait for the end of the grace, and the greatest fence wins (S15)") {
  plan_fixture f(true);
  f.p.scanned({make_row(1, at(-10), at(-10))}, f.now);
  f.worker(1, 0);
  f.worker(2, 0, {"k"}, "j");
  const claim older{make_row(1, at(0), at(0)).id, 1, 0, {17, 1}};
  auto newer = older;
  newer.fence.sequence = 2;
  CHECK(f.p.claimed(1, older, f.now) == plan::claim_verdict::wait);
  CHECK(f.p.claimed(2, newer, f.now) == plan::claim_verdict::wait);
  CHECK(f.p.claimed(2, newer, f.now, true) == plan::claim_verdict::keep);
  CHECK(f.p.claimed(1, older, f.now, true) == plan::claim_verdict::drop);
}

TEST_CASE("the grace holds what an earlier leader may have given out, and nothing else") {
  plan_fixture f(true);
  f.p.scanned({make_row(1, at(-10), at(-10)), make_row(2, at(10), at(-10)), make_row(3, at(-5), at(5))}, f.now);
  f.worker(1, 10);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 2); // due after the takeover, stored after the takeover
  f.p.end_grace(f.now);
  const auto rest = f.dispatch();
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].what.what.task == make_row(1, at(0), at(0)).id);
}

TEST_CASE("R15: cancelled is only said of a task that is not handed out and not in the grace") {
  plan_fixture f(true);
  const auto held = make_row(1, at(-10), at(-10)), waiting = make_row(2, at(5'000), at(10)), running = make_row(3, at(10), at(10));
  f.p.scanned({held, waiting, running}, f.now);
  f.worker(1, 1);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(f.p.cancel(held.id).step == plan::cancel_step::requested); // S10
  CHECK(f.p.cancel(waiting.id).step == plan::cancel_step::settling);
  const auto told = f.p.cancel(running.id); // S11
  CHECK(told.step == plan::cancel_step::requested);
  CHECK(told.session == 1);
  CHECK(told.fence == given[0].what.what.fence);
  auto answer = f.record();
  REQUIRE(answer.settled.size() == 1);
  CHECK(answer.settled[0].cancelled);
  f.p.end_grace(f.now); // nobody claimed it
  answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.changes[0].state == task_state::cancelled);
  CHECK(f.p.cancel(held.id).step == plan::cancel_step::finished);
}

TEST_CASE("R15: a running task that was to be cancelled ends as its worker says, and is not run again when the worker is lost") {
  plan_fixture f;
  f.worker(1, 2);
  f.announce(make_row(1, at(500), at(500)));
  f.announce(make_row(2, at(501), at(500)));
  const auto given = f.dispatch();
  f.p.cancel(given[0].what.what.task);
  f.p.cancel(given[1].what.what.task);
  f.p.finished(1, f.result_of(given[0])); // it had succeeded before the word came
  CHECK(f.record().changes.at(0).state == task_state::succeeded);
  f.p.close_session(1, 0, f.now);
  CHECK(f.record().changes.at(0).state == task_state::cancelled);
}

TEST_CASE("R16: at most once is marked before it is sent, and sent once on the session that had the credit") {
  plan_fixture f;
  f.worker(1, 1);
  auto row = make_row(1, at(500), at(500));
  row.delivery = delivery_mode::at_most_once;
  row.max_attempts = 1;
  f.announce(row);
  CHECK(f.dispatch().empty());
  const auto answer = f.record();
  REQUIRE(answer.changes.at(0).what == task_change::type::mark);
  REQUIRE(answer.marked.size() == 1);
  CHECK(answer.marked[0].session == 1);
  const auto given = answer.marked[0].tasks.at(0);
  f.p.finished(1, f.result_of(given, run_outcome::failed));
  CHECK(f.record().changes.at(0).state == task_state::failed); // no automatic retry
}

TEST_CASE("R16: when the session went while it was being marked, the task ends lost and is not sent elsewhere") {
  plan_fixture f;
  f.worker(1, 1);
  f.worker(2, 0, {"k"}, "j");
  auto row = make_row(1, at(500), at(500));
  row.delivery = delivery_mode::at_most_once;
  f.announce(row);
  f.dispatch();
  f.p.credit(2, 5);
  f.p.close_session(1, 0, f.now);
  auto answer = f.record();
  CHECK(answer.marked.empty());
  answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.changes[0].state == task_state::failed);
  CHECK(answer.changes[0].reason == "lost");
  CHECK(f.dispatch().empty());
}

TEST_CASE("R16: what is cancelled, or turns out to be changed, while it is being marked gives its slot back") {
  plan_fixture f;
  f.worker(1, 1);
  auto once = make_row(1, at(0), at(500)), next = make_row(2, at(1), at(500)), last = make_row(3, at(2), at(500));
  once.delivery = next.delivery = delivery_mode::at_most_once;
  for (const auto& t : {once, next, last}) f.announce(t);
  CHECK(f.dispatch().empty());
  CHECK(f.p.cancel(once.id).step == plan::cancel_step::requested);
  CHECK(f.record().marked.empty()); // the mark is there, and it is not sent
  const auto end = f.record();
  REQUIRE(end.changes.size() == 1);
  CHECK(end.changes[0].state == task_state::cancelled);
  CHECK(end.changes[0].fence.none()); // no run of it ever was
  CHECK(f.dispatch().empty());
  CHECK(f.record(change_verdict::stale).marked.empty()); // another leader has changed the next one
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(given[0].what.what.task == last.id);
  CHECK(f.p.audit() == "");
}

TEST_CASE("R16: a mark that nobody claims ends lost after the grace") {
  plan_fixture f(true);
  auto row = make_row(1, at(-10), at(-10));
  row.delivery = delivery_mode::at_most_once;
  row.marked = {19, 3};
  f.p.scanned({row}, f.now);
  f.worker(1, 1);
  CHECK(f.p.claimed(1, {row.id, 1, 0, {19, 2}}, f.now) == plan::claim_verdict::drop); // not the fence it was marked with
  f.p.end_grace(f.now);
  const auto answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.changes[0].reason == "lost");
  CHECK(f.dispatch().empty());
}
