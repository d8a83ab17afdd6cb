// Changes by hand, keys freed before a hand-out, progress, checkpoints and silence: the plan's rules in virtual time.
#include "tests/actors/plan_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

task_edit change_of(std::initializer_list<std::string> fields, task_spec to = {}) {
  task_edit e;
  e.to = std::move(to);
  e.fields = fields;
  return e;
}

task_edit later(duration d) {
  task_spec to;
  to.delay = d;
  return change_of({"delay"}, to);
}

/// As the database answers an edit.
task applied(const plan::edit_decision& d, timestamp now) {
  auto row = d.edition.row;
  row.attempt = d.edition.of.attempt + 1;
  if (d.edition.wait) row.run_at = now + *d.edition.wait;
  return row;
}

task promising(int number, duration heartbeat) {
  auto t = make_row(number, at(500), at(500));
  task_options o;
  o.heartbeat_timeout = heartbeat;
  t.options = share(o);
  return t;
}

task_progress report(const assignment& a, const std::string& json, const std::string& checkpoint = "") {
  return {a.what.what.task, a.what.what.fence, json, checkpoint.empty() ? nullptr : std::make_shared<const std::string>(checkpoint)};
}

} // namespace

TEST_CASE("a change by hand moves a waiting task, and nothing older brings the old one back", "[control]") {
  plan_fixture f;
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  const auto scan = f.p.open_read();
  const auto d = f.p.edit(row.id, later(1h), f.now);
  REQUIRE(d.step == plan::edit_step::settling);
  f.worker(1, 1);
  CHECK(f.dispatch().empty()); // not handed out while the change is written
  CHECK(f.p.cancel(row.id).step == plan::cancel_step::unknown);
  CHECK(f.p.edit(row.id, later(2h), f.now).step == plan::edit_step::changing);
  f.p.edited(d.edition, applied(d, f.now), f.now);
  f.p.scanned({row}, f.now);
  CHECK(f.announce(row));
  CHECK(f.dispatch().empty());
  CHECK(f.p.audit().empty());
  f.p.close_read(scan);
  f.now += 1h;
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(given[0].what.what.attempt == 2);
}

TEST_CASE("a change by hand moves a task to another queue, kind of payload and key", "[control]") {
  plan_fixture f;
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  task_spec to;
  to.queue = "other";
  to.priority = 9;
  to.payload = "1";
  to.concurrency_key = "c";
  const auto d = f.p.edit(row.id, change_of({"queue", "priority", "payload", "concurrency_key"}, to), f.now);
  f.p.edited(d.edition, applied(d, f.now), f.now);
  f.worker(1, 1);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(given[0].queue == "other");
  CHECK(*given[0].payload == "1");
  CHECK(f.p.running_in("other", "c") == 1);
  CHECK(f.p.running_in("default") == 0);
  CHECK(f.p.audit().empty());
}

TEST_CASE("what runs, may run or has ended is not changed", "[control]") {
  plan_fixture f;
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  f.worker(1, 1);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(f.p.edit(row.id, later(1h), f.now).step == plan::edit_step::running);
  f.p.finished(1, f.result_of(given[0]));
  CHECK(f.p.edit(row.id, later(1h), f.now).step == plan::edit_step::running); // its outcome is being recorded
  f.record();
  CHECK(f.p.edit(row.id, later(1h), f.now).step == plan::edit_step::finished);
  CHECK(f.p.edit(make_row(2, at(0), at(0)).id, later(1h), f.now).step == plan::edit_step::unknown);
  plan_fixture grace(true);
  grace.p.scanned({make_row(3, at(-500), at(-500))}, grace.now);
  CHECK(grace.p.edit(make_row(3, at(0), at(0)).id, later(1h), grace.now).step == plan::edit_step::changing);
}

TEST_CASE("R11: a claim of the task as it was before a change is not adopted", "[control]") {
  plan_fixture f;
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  f.worker(1, 1);
  const auto given = f.dispatch();
  f.p.session_lost(1);
  f.p.close_session(1, f.worker(2, 0), f.now); // its heir does not name it: due again
  const auto d = f.p.edit(row.id, later(0s), f.now);
  REQUIRE(d.step == plan::edit_step::settling);
  f.p.edited(d.edition, applied(d, f.now), f.now);
  CHECK(f.p.claimed(2, given[0].what.what, f.now) == plan::claim_verdict::drop);
}

TEST_CASE("a change that the rules forbid, or that the database refuses, leaves the task as it was", "[control]") {
  plan_fixture f;
  auto row = make_row(1, at(500), at(500));
  row.expires_at = at(10'000);
  f.announce(row);
  const auto d = f.p.edit(row.id, later(1h), f.now);
  REQUIRE(d.refused);
  CHECK(d.refused->faults.at(0).field == "/expires_at");
  const auto ok = f.p.edit(row.id, later(1s), f.now);
  REQUIRE(ok.step == plan::edit_step::settling);
  f.p.edit_failed(row.id);
  f.worker(1, 1);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(given[0].what.what.attempt == 1);
  CHECK(f.p.audit().empty());
}

TEST_CASE("a task outside the windows is changed by its row, and left to the database when it is not", "[control]") {
  plan_fixture f;
  f.p.load_buckets({{"default", "k", 0}});
  const auto row = make_row(1, at(50'000), at(-500));
  CHECK(f.p.edit(row.id, later(0s), f.now).step == plan::edit_step::unknown);
  task_spec bad;
  bad.expires_at = at(0);
  CHECK(f.p.edit_row(row, change_of({"expires_at"}, bad), f.now).refused);
  CHECK(f.p.count().entries == 0);
  const auto d = f.p.edit_row(row, later(0s), f.now);
  REQUIRE(d.step == plan::edit_step::settling);
  f.p.edited(d.edition, applied(d, f.now), f.now);
  CHECK(f.p.audit().empty());
  f.p.edited(d.edition, applied(d, f.now), f.now); // said twice
  CHECK(f.p.audit().empty());
}

TEST_CASE("a key held while waiting is freed in the database before the task is handed out", "[control]") {
  plan_fixture f;
  auto row = make_row(1, at(500), at(500));
  row.unique_key = "u";
  task_options o;
  o.scope = unique_scope::while_waiting;
  row.options = share(o);
  f.announce(row);
  f.worker(1, 1);
  CHECK(f.dispatch().empty());
  auto answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.changes[0].what == task_change::type::free_key);
  REQUIRE(answer.marked.size() == 1);
  CHECK(answer.marked[0].tasks.at(0).what.what.task == row.id);
  CHECK(f.p.audit().empty());
}

TEST_CASE("a task whose key was freed for a worker that is gone waits again; at most once it is marked after", "[control]") {
  plan_fixture f;
  auto row = make_row(1, at(500), at(500)), once = make_row(2, at(500), at(500));
  task_options o;
  o.scope = unique_scope::while_waiting;
  for (auto* t : {&row, &once}) {
    t->unique_key = "u" + t->id.str();
    t->options = share(o);
  }
  f.announce(row);
  f.worker(1, 1);
  f.dispatch();
  f.p.session_lost(1);
  f.p.close_session(1, 0, f.now);
  auto answer = f.record();
  CHECK(answer.marked.empty());
  f.worker(2, 1);
  f.dispatch();
  CHECK(f.record().marked.size() == 1);

  once.delivery = delivery_mode::at_most_once;
  once.max_attempts = 1;
  f.announce(once);
  f.worker(3, 1);
  f.dispatch();
  answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.marked.empty());
  answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.changes[0].what == task_change::type::mark);
  CHECK(answer.marked.size() == 1);
  CHECK(f.p.audit().empty());
}

TEST_CASE("a checkpoint is kept with the run's outcome at the latest and goes to the next attempt", "[control]") {
  plan_fixture f;
  const auto row = make_row(1, at(500), at(500));
  f.announce(row);
  f.worker(1, 2);
  auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  const auto first = given[0];
  CHECK_FALSE(first.checkpoint);
  f.p.progress(1, report(given[0], "{}", "1"), f.now);
  f.p.progress(1, report(given[0], "{}", "2"), f.now);
  f.p.progress(1, report(given[0], "{}"), f.now);
  auto kept = f.p.take_checkpoints();
  REQUIRE(kept.size() == 1); // the last one alone
  CHECK(*kept[0].json == "2");
  CHECK(kept[0].version == task_version{1, 0});
  CHECK_FALSE(f.p.has_checkpoints());
  auto failed = f.result_of(given[0], run_outcome::failed);
  failed.checkpoint = std::make_shared<const std::string>("3");
  f.p.finished(1, failed);
  kept = f.p.take_checkpoints();
  REQUIRE(kept.size() == 1);
  CHECK(*kept[0].json == "3");
  f.record();
  f.now += 5s;
  given = f.dispatch();
  REQUIRE(given.size() == 1);
  REQUIRE(given[0].checkpoint);
  CHECK(*given[0].checkpoint == "3");
  // A report of the attempt before says nothing.
  f.p.progress(1, report(first, "{}", "0"), f.now);
  CHECK_FALSE(f.p.has_checkpoints());
  f.p.finished(1, f.result_of(given[0]));
  f.record();
  kept = f.p.take_checkpoints(); // it has succeeded: forgotten
  REQUIRE(kept.size() == 1);
  CHECK_FALSE(kept[0].json);
}

TEST_CASE("a run that promised progress and gives none is told to stop and ends as timeout", "[control]") {
  plan_fixture f;
  f.announce(promising(1, 10s));
  f.worker(1, 1);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  CHECK(given[0].heartbeat_timeout == 10s);
  f.now += 1h;
  CHECK(f.p.take_silent(f.now).empty()); // it has not started yet
  f.p.started(1, given[0].what.what.task, given[0].what.what.fence, f.now);
  for (int i = 0; i < 5; ++i) {
    f.now += 9s;
    f.p.progress(1, report(given[0], R"({"percent":1})"), f.now);
    CHECK(f.p.take_silent(f.now).empty());
  }
  CHECK(f.p.next_due(f.now) == f.now + 11s);
  f.now += 11s;
  const auto told = f.p.take_silent(f.now);
  REQUIRE(told.size() == 1);
  CHECK(told[0].session == 1);
  CHECK(told[0].fence == given[0].what.what.fence);
  f.p.finished(1, f.result_of(given[0], run_outcome::cancelled));
  const auto answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.changes[0].what == task_change::type::retry);
  CHECK(answer.changes[0].burned);
  CHECK(answer.changes[0].reason == "timeout");
  CHECK(answer.changes[0].failure->code == "heartbeat");
  CHECK(f.p.take_silent(f.now + 1h).empty());
}

TEST_CASE("a run that does not even stop is taken away, and its late result changes nothing", "[control]") {
  plan_fixture f;
  f.announce(promising(1, 10s));
  f.worker(1, 1);
  const auto given = f.dispatch();
  f.p.started(1, given[0].what.what.task, given[0].what.what.fence, f.now);
  f.now += 11s;
  CHECK(f.p.take_silent(f.now).size() == 1);
  f.p.progress(1, report(given[0], R"({"percent":1})"), f.now); // too late
  f.now += 10s;
  CHECK(f.p.take_silent(f.now).empty());
  const auto answer = f.record();
  REQUIRE(answer.changes.size() == 1);
  CHECK(answer.changes[0].failure->code == "heartbeat");
  REQUIRE(answer.settled.size() == 1);
  CHECK(answer.settled[0].stale); // its worker is told to stop it and to say nothing
  CHECK(f.p.finished(1, f.result_of(given[0])) == plan::result_verdict::stale);
  CHECK(f.p.audit().empty());
}

TEST_CASE("a task that is released while a change of it is under way runs, whatever becomes of the change") {
  plan_fixture f;
  auto row = make_row(1, timestamp::max(), at(500));
  row.options = share([] { task_options o; o.group = "g"; return o; }());
  const auto d = f.p.edit_row(row, change_of({"priority"}, [] { task_spec s; s.kind = "k"; s.priority = 3; return s; }()), f.now);
  REQUIRE(d.step == plan::edit_step::settling);
  row.run_at = at(600);
  f.p.released(row, f.now); // its answer comes first; the change goes on being written
  SECTION("it is found to be another by now") { f.p.edited(d.edition, std::nullopt, f.now); }
  SECTION("it could not be written") { f.p.edit_failed(row.id); }
  f.p.met(row, f.now); // read again
  f.worker(1, 1);
  CHECK(f.dispatch().size() == 1);
}
