// What the plan tells of transitions: each once, in order, also of tasks that it forgets and meets again.
#include "tests/actors/telling_plan.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("a task's whole way is told, each step once") {
  telling_plan f;
  f.worker(1, 5);
  f.announce(make_row(1, at(900), at(900)));
  CHECK(f.told() == "1 ready");
  CHECK(f.last == at(900));
  auto given = f.dispatch();
  CHECK(f.told() == "1 running");
  f.p.started(1, given.at(0).what.what.task, given[0].what.what.fence, f.now);
  f.p.finished(1, f.result_of(given[0]));
  CHECK(f.told().empty()); // it is not committed yet
  f.record();
  CHECK(f.told() == "1 succeeded");
}

TEST_CASE("a task for later is scheduled, and ready when its time has come although nobody takes it") {
  telling_plan f;
  f.announce(make_row(1, at(1'500), at(900)));
  f.announce(make_row(2, at(1'400), at(900)));
  CHECK(f.told() == "1 scheduled, 2 scheduled");
  f.dispatch();
  CHECK(f.told().empty());
  f.pass(450ms);
  f.dispatch();
  CHECK(f.told() == "2 ready");
  f.pass(450ms);
  f.dispatch();
  f.dispatch();
  CHECK(f.told() == "1 ready");
  CHECK(f.last == at(1'500));
}

TEST_CASE("a retry is told as the wait it is, a loss as ready, an end by name") {
  telling_plan f;
  f.worker(1, 1);
  auto row = make_row(1, at(900), at(900));
  row.retry.initial = 1s;
  row.retry.jitter = 0;
  row.max_attempts = 2;
  f.announce(row);
  auto given = f.dispatch();
  f.p.finished(1, f.result_of(given.at(0), run_outcome::failed));
  f.record();
  CHECK(f.told() == "1 ready, 1 running, 1 scheduled #2");
  f.pass(1'001ms);
  f.p.credit(1, 1);
  given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(f.told() == "1 ready #2, 1 running #2");
  f.p.session_lost(1);
  f.p.close_session(1, 0, f.now);
  f.record();
  CHECK(f.told() == "1 ready #2");
  f.worker(2, 1);
  given = f.dispatch();
  f.p.finished(2, f.result_of(given.at(0), run_outcome::failed));
  f.record();
  CHECK(f.told() == "1 running #2, 1 failed #2");
}

TEST_CASE("what is handed back or never arrived is ready again") {
  telling_plan f;
  f.worker(1, 2);
  f.announce(make_row(1, at(900), at(900)));
  f.announce(make_row(2, at(900), at(900)));
  auto given = f.dispatch();
  f.told();
  f.p.finished(1, f.result_of(given.at(0), run_outcome::returned));
  CHECK(f.told() == "1 ready");
  f.worker(2, 0); // the same worker on a new stream, which does not name the second
  f.p.session_lost(1);
  f.p.close_session(1, 2, f.now);
  CHECK(f.told() == "2 ready");
}

TEST_CASE("what was told long ago and lost its place is not told again by a refill, though the clock was set back since") {
  plan_options o;
  o.window_rows = 2;
  o.window_low = 1;
  o.window_most = 1;
  telling_plan f(o);
  for (int n = 1; n <= 4; ++n) f.announce(make_row(n, at(900 + n), at(900 + n)));
  CHECK(f.told() == "1 ready, 2 ready, 3 ready, 4 ready");
  f.pass(7s);
  f.dispatch();
  for (int pass = 0; pass < 3; ++pass) f.p.scan_passed(); // none of them meets it
  f.worker(1, 10);
  f.dispatch();
  f.told();
  window_page page;
  page.tasks.push_back(make_row(4, at(904), at(904)));
  REQUIRE_FALSE(f.p.knows(page.tasks[0].id));
  const auto refills = f.p.take_refills(4);
  REQUIRE(refills.size() == 1);
  f.p.refilled(refills[0], page, f.now - 4s);
  CHECK(f.p.knows(page.tasks[0].id));
  CHECK(f.told() == "");
}

TEST_CASE("a run of an earlier leader whose task is not due by a clock set back since is told as ready, then running") {
  telling_plan f;
  f.worker(1, 1);
  const auto row = make_row(1, at(5'000), at(900));
  f.announce(row);
  REQUIRE(f.told() == "1 scheduled");
  REQUIRE(f.p.claimed(1, claim{row.id, row.attempt, row.losses, {1, 1}}, f.now) == plan::claim_verdict::keep);
  CHECK(f.told() == "1 ready, 1 running");
}

TEST_CASE("at most once: running is told when the mark is committed") {
  telling_plan f;
  f.worker(1, 1);
  auto row = make_row(1, at(900), at(900));
  row.delivery = delivery_mode::at_most_once;
  f.announce(row);
  f.dispatch();
  CHECK(f.told() == "1 ready");
  f.record();
  CHECK(f.told() == "1 running");
}

TEST_CASE("cancelled and expired tasks are told when that is committed") {
  telling_plan f;
  auto row = make_row(1, at(5'000), at(900));
  row.expires_at = at(1'200);
  f.announce(row);
  f.announce(make_row(2, at(5'000), at(900)));
  f.p.cancel(make_row(2, at(0), at(0)).id);
  f.pass(300ms);
  f.dispatch();
  CHECK(f.told() == "1 scheduled, 2 scheduled");
  f.record();
  CHECK(f.told() == "2 cancelled, 1 expired");
}

TEST_CASE("announce and scan of one insert are one event, also when the row has no place in a window") {
  plan_options o;
  o.window_rows = 2;
  o.window_most = 1;
  telling_plan f(o);
  for (int n = 1; n <= 4; ++n) f.announce(make_row(n, at(2'000 + n), at(900)));
  CHECK(f.told() == "1 scheduled, 2 scheduled, 3 scheduled, 4 scheduled");
  CHECK(f.p.count().entries < 4);
  std::vector<task> all;
  for (int n = 1; n <= 5; ++n) all.push_back(make_row(n, at(2'000 + n), at(950)));
  for (int pass = 0; pass < 20; ++pass) { // an open transaction somewhere: every pass meets them again
    f.p.scanned(all, f.now);
    f.p.scan_passed();
    f.pass(1ms);
  }
  CHECK(f.told() == "5 scheduled");
}

TEST_CASE("a released task that a scan met before its release was answered, and that had no place, is told to be ready once") {
  plan_options o;
  o.window_rows = 2;
  o.window_most = 1;
  telling_plan f(o);
  for (int n = 1; n <= 4; ++n) f.announce(make_row(n, at(900 + n), at(900)));
  f.told();
  const auto released = make_row(9, at(950), at(900)); // later than what the window holds
  f.p.scanned({released}, f.now);
  REQUIRE_FALSE(f.p.knows(released.id));
  CHECK(f.told() == "9 ready");
  f.p.released(released, f.now);
  CHECK(f.told() == "");
}

TEST_CASE("a task that lost its place is told to be ready once: when it is due, or when a refill brings it") {
  plan_options o;
  o.window_rows = 2;
  o.window_low = 1;
  o.window_most = 1;
  telling_plan f(o);
  for (int n = 1; n <= 6; ++n) f.announce(make_row(n, at(1'100 + n), at(900)));
  f.told();
  f.pass(200ms);
  f.dispatch();
  const auto early = f.told(); // those that had a place
  f.worker(1, 10);
  std::string later;
  for (int i = 0; i < 10; ++i) {
    f.dispatch();
    for (const auto& r : f.p.take_refills(4)) {
      window_page page;
      for (int n = 1; n <= 6; ++n) {
        const auto row = make_row(n, at(1'100 + n), at(900));
        if (window_mark{row.run_at, row.id} > r.after && page.tasks.size() < 2) page.tasks.push_back(row);
      }
      page.more = page.tasks.size() == 2;
      f.p.refilled(r, page, f.now);
    }
    const auto told = f.told();
    if (!told.empty()) later += (later.empty() ? "" : ", ") + told;
  }
  std::map<std::string, int> count;
  std::string word, text = early + ", " + later;
  for (int n = 1; n <= 6; ++n)
    for (const auto* state : {"ready", "running"}) {
      const auto needle = std::to_string(n) + " " + state;
      int times = 0;
      for (auto from = text.find(needle); from != std::string::npos; from = text.find(needle, from + 1)) ++times;
      CAPTURE(text, needle);
      CHECK(times == 1);
    }
}

TEST_CASE("a change whose answer was lost is told from the row that is read again") {
  telling_plan f;
  f.worker(1, 1);
  f.announce(make_row(1, at(900), at(900)));
  auto given = f.dispatch();
  f.p.finished(1, f.result_of(given.at(0), run_outcome::failed));
  f.told();
  const auto answered = f.record(change_verdict::stale);
  CHECK(f.told().empty());
  auto row = make_row(1, at(3'000), at(900));
  row.attempt = 2;
  SECTION("by the reading") { f.p.met(row, f.now); }
  SECTION("or by a scan that is faster") { f.p.scanned({row}, f.now); }
  CHECK(f.told() == "1 scheduled #2");
  f.p.met(row, f.now);
  CHECK(f.told().empty());
}

TEST_CASE("a row that somebody brought before it was read again, and that lost its place since, is not told twice") {
  plan_options o;
  o.window_rows = o.window_most = 1;
  telling_plan f(o);
  f.worker(1, 1);
  f.announce(make_row(1, at(900), at(900)));
  const auto given = f.dispatch();
  f.p.finished(1, f.result_of(given.at(0), run_outcome::failed));
  f.record(change_verdict::stale);
  f.told();
  auto row = make_row(1, at(1'200), at(900));
  row.attempt = 2;
  f.p.scanned({row}, f.now);
  f.announce(make_row(2, at(1'100), at(990)));
  f.announce(make_row(3, at(1'100), at(990)));
  REQUIRE_FALSE(f.p.knows(row.id));
  CHECK(f.told() == "1 scheduled #2, 2 scheduled, 3 scheduled");
  f.p.met(row, f.now);
  CHECK(f.told().empty());
}

TEST_CASE("an end that is read again is told if its own change did not tell it") {
  telling_plan f;
  f.worker(1, 1);
  f.announce(make_row(1, at(900), at(900)));
  auto given = f.dispatch();
  f.p.finished(1, f.result_of(given.at(0)));
  f.record(change_verdict::stale);
  f.told();
  task_record ended;
  ended.task = make_row(1, at(900), at(900));
  ended.state = task_state::succeeded;
  ended.finished_at = f.now;
  f.p.tell_end(ended);
  f.p.gone(ended.task.id);
  CHECK(f.told() == "1 succeeded");
  f.p.tell_end(ended); // read twice, or recorded in between
  CHECK(f.told().empty());
}

TEST_CASE("what somebody else read before it was read again is told by what it does, and its end once") {
  telling_plan f;
  f.worker(1, 2);
  f.announce(make_row(1, at(900), at(900)));
  auto given = f.dispatch();
  f.p.finished(1, f.result_of(given.at(0), run_outcome::failed));
  f.record(change_verdict::stale);
  f.told();
  auto row = make_row(1, at(950), at(900));
  row.attempt = 2;
  REQUIRE(f.p.claimed_row(1, {row.id, 2, 0, {20, 7}}, &row, f.now) == plan::claim_verdict::keep);
  run_result r;
  r.what.what = {row.id, 2, 0, {20, 7}};
  f.p.finished(1, r);
  f.record();
  CHECK(f.told() == "1 running #2, 1 succeeded #2");
  task_record ended;
  ended.task = row;
  ended.state = task_state::succeeded;
  f.p.tell_end(ended);
  CHECK(f.told().empty());
}

TEST_CASE("what was due when it was inserted is ready, though the leader's clock is not as far yet") {
  telling_plan f;
  f.announce(make_row(1, at(1'005), at(1'005)));
  CHECK(f.told() == "1 ready");
  f.pass(10ms);
  f.dispatch();
  CHECK(f.told().empty());
}

TEST_CASE("a finished task that is put back to work is ready") {
  telling_plan f;
  f.worker(1, 1);
  f.announce(make_row(1, at(900), at(900)));
  auto given = f.dispatch();
  f.p.finished(1, f.result_of(given.at(0), run_outcome::refused));
  f.record();
  f.told();
  auto row = make_row(1, at(1'000), at(900));
  row.attempt = 2;
  f.p.reopened(row, f.now);
  CHECK(f.told() == "1 ready #2");
}

TEST_CASE("what was there before somebody listened is not told again, what happens to it is") {
  plan_fixture f;
  f.announce(make_row(1, at(900), at(900)));
  f.announce(make_row(2, at(1'500), at(900)));
  f.p.tell(true, f.now);
  f.p.scanned({make_row(1, at(900), at(900)), make_row(2, at(1'500), at(900)), make_row(3, at(800), at(800))}, f.now);
  CHECK(f.p.take_events().empty());
  f.pass(600ms);
  f.dispatch();
  auto events = f.p.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].state == task_state::ready);
  f.p.tell(false, {});
  f.worker(1, 9);
  f.dispatch();
  CHECK(f.p.take_events().empty());
}
