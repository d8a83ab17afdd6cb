// What listeners hear of changes by hand, freed keys and claims of rows that had lost their place: each transition once, and nothing of what did
// not happen.
#include "tests/actors/telling_plan.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

task_edit later(duration d) {
  task_edit e;
  e.to.delay = d;
  e.fields = {"delay"};
  return e;
}

/// As the database answers it.
task applied(const plan::edit_decision& d, timestamp now) {
  auto row = d.edition.row;
  row.attempt = d.edition.of.attempt + 1;
  row.run_at = now + *d.edition.wait;
  return row;
}

} // namespace

TEST_CASE("a change by hand is told as the wait it makes, under the next attempt number, and that its time has come once", "[control]") {
  telling_plan f;
  const auto row = make_row(1, at(900), at(900));
  f.announce(row);
  CHECK(f.told() == "1 ready");
  auto d = f.p.edit(row.id, later(200ms), f.now);
  CHECK(f.told().empty()); // it is not committed yet
  f.p.edited(d.edition, applied(d, f.now), f.now);
  CHECK(f.told() == "1 scheduled #2");
  f.pass(300ms);
  f.dispatch();
  CHECK(f.told() == "1 ready #2");
  d = f.p.edit(row.id, later(0s), f.now);
  f.p.edited(d.edition, applied(d, f.now), f.now);
  f.dispatch();
  CHECK(f.told() == "1 ready #3");
}

TEST_CASE("a change that the database refuses is not told, and one whose answer was lost when the row is read again", "[control]") {
  telling_plan f;
  const auto row = make_row(1, at(900), at(900));
  f.announce(row);
  f.told();
  auto d = f.p.edit(row.id, later(1h), f.now);
  f.p.edit_failed(row.id);
  f.dispatch();
  CHECK(f.told().empty());
  d = f.p.edit(row.id, later(1h), f.now);
  f.p.edited(d.edition, {}, f.now);
  CHECK(f.told().empty());
  SECTION("by the reading") { f.p.met(applied(d, f.now), f.now); }
  SECTION("or by a scan that is faster") { f.p.scanned({applied(d, f.now)}, f.now); }
  CHECK(f.told() == "1 scheduled #2");
}

TEST_CASE("a task that is changed before anybody announced it was there first", "[control]") {
  telling_plan f;
  const auto row = make_row(1, at(900), at(900));
  const auto d = f.p.edit_row(row, later(1h), f.now);
  REQUIRE(d.step == plan::edit_step::settling);
  f.p.edited(d.edition, applied(d, f.now), f.now);
  f.p.scanned({applied(d, f.now)}, f.now);
  CHECK(f.told() == "1 ready, 1 scheduled #2");
}

TEST_CASE("a key that was freed for a worker who left is no hand-out", "[control]") {
  telling_plan f;
  f.worker(1, 1);
  auto row = make_row(1, at(900), at(900));
  row.unique_key = "k";
  task_options o;
  o.scope = unique_scope::while_waiting;
  row.options = share(o);
  f.announce(row);
  f.dispatch();
  CHECK(f.told() == "1 ready");
  f.p.session_lost(1);
  f.record();
  CHECK(f.told().empty());
  f.worker(2, 1);
  f.dispatch();
  f.record();
  CHECK(f.told() == "1 running");
}

TEST_CASE("of a task that was due and lost its place, what comes then is told and not the same again", "[control]") {
  plan_options o;
  o.window_rows = 1;
  o.window_most = 1;
  telling_plan f(o);
  const auto far = make_row(1, at(1'150), at(900));
  f.announce(far);
  f.pass(200ms);
  f.dispatch();
  CHECK(f.told() == "1 scheduled, 1 ready");
  f.announce(make_row(2, at(950), at(940)));
  f.announce(make_row(3, at(950), at(940)));
  REQUIRE_FALSE(f.p.knows(far.id));
  f.told();
  SECTION("changed") {
    const auto d = f.p.edit_row(far, later(100ms), f.now);
    f.p.edited(d.edition, applied(d, f.now), f.now);
    CHECK(f.told() == "1 scheduled #2");
    f.worker(1, 2);
    f.dispatch();
    f.told();
    for (const auto& r : f.p.take_refills(4)) f.p.refilled(r, {{applied(d, f.now)}, false, {}}, f.now);
    f.pass(200ms);
    f.dispatch();
    CHECK(f.told() == "1 ready #2, 1 running #2");
  }
  SECTION("neither") {
    f.worker(1, 2);
    f.dispatch();
    f.told();
    for (const auto& r : f.p.take_refills(4)) f.p.refilled(r, {{far}, false, {}}, f.now);
    f.dispatch();
    CHECK(f.told() == "1 running");
  }
  SECTION("claimed") {
    f.worker(1, 0);
    claim c;
    c.task = far.id;
    c.attempt = 1;
    c.fence = {20, 1};
    REQUIRE(f.p.claimed_row(1, c, &far, f.now) == plan::claim_verdict::keep);
    run_result r;
    r.what.what = c;
    r.outcome = run_outcome::failed;
    f.p.finished(1, r);
    f.record();
    CHECK(f.told() == "1 running, 1 scheduled #2");
  }
}
