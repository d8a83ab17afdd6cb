// Schedules through real actors in virtual time: what fires, once, whoever leads; overlaps, pauses, triggers, backfills.
#include "schema/memory_database.hpp"
#include "tests/actors/cluster_fixture.hpp"

#include <set>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

using verb = schedule_command::verb;

schedule_spec every_minute(const std::string& name = "s") {
  schedule_spec s;
  s.name = name;
  s.when.cron = "* * * * *";
  s.task.kind = "k";
  s.task.retry.jitter = 0;
  return s;
}

/// A cluster whose clock stands a few seconds after a full minute.
class schedules : public cluster_fixture {
public:
  schedules() : c(start_coordinator("c0")), s(start_scheduler(c.actor)) {
    advance(1s);
    minute = timestamp(std::chrono::ceil<std::chrono::minutes>(wall() + 60s));
    advance(minute - wall() - 57s);
  }

  schedule_answer order(schedule_command command) { return ask<schedule_answer>(s, schedule_atom::value, std::move(command)); }
  schedule_outcome put(schedule_spec spec, std::optional<bool> paused = {}) {
    schedule_command command;
    command.name = spec.name;
    command.spec = std::move(spec);
    command.paused = paused;
    auto a = order(std::move(command));
    if (!a) FAIL(to_string(a.failure()));
    return *a;
  }
  schedule_answer simple(verb what, const std::string& name = "s") {
    schedule_command command;
    command.what = what;
    command.name = name;
    return order(std::move(command));
  }
  schedule_record record(const std::string& name = "s") {
    auto found = store->find_schedule(name, 1s);
    REQUIRE(found);
    REQUIRE(*found);
    return **found;
  }
  std::string ledger(const std::string& name = "s") {
    const auto page = store->schedule_ledger(name, "", 1'000, 1s);
    REQUIRE(page);
    std::string out;
    for (auto row = page->rows.rbegin(); row != page->rows.rend(); ++row)
      out += (out.empty() ? "" : ", ") + std::to_string((row->what.from - minute) / 1min) + " " + row->what.reason;
    return out;
  }
  /// The instants of what this worker was given, as minutes after the first.
  std::vector<std::int64_t> given(const hand_worker& w) {
    std::vector<std::int64_t> out;
    for (const auto& a : w.assigned()) {
      const auto o = options_of(stored(a.what.what.task).task.options);
      CHECK(o.schedule == "s");
      REQUIRE(o.scheduled_for);
      out.push_back((*o.scheduled_for - minute) / 1min);
    }
    return out;
  }
  std::vector<uuid> unfinished(const std::string& name = "s") {
    auto found = store->unfinished_of({name}, 1s);
    REQUIRE(found);
    return (*found)[name];
  }
  void finish(hand_worker& w, std::size_t n) { say(w, finished_tasks{{result_of(w.assigned().at(n))}}); }

  test_coordinator c;
  scheduler_actor s;
  timestamp minute; // the first instant to come
};

} // namespace

TEST_CASE_METHOD(schedules, "an instant becomes a task at its time, with its schedule and instant on it") {
  const auto made = put(every_minute());
  CHECK(made.created);
  CHECK(made.schedule.version == 1);
  CHECK(made.schedule.state.next_at == minute);
  auto w = connect(c, "w", 5);
  advance_beating({w}, 56s);
  CHECK(w->assigned().empty());
  advance_beating({w}, 2s);
  CHECK(given(*w) == std::vector<std::int64_t>{0});
  const auto task = stored(w->assigned()[0].what.what.task).task;
  CHECK(task.run_at == minute);
  CHECK(task.created_at >= minute);
  CHECK(task.created_at < minute + 60ms);
  CHECK(record().state.next_at == minute + 1min);
  CHECK(record().state.last_at == minute);
  advance_beating({w}, 2min);
  CHECK(given(*w) == std::vector<std::int64_t>{0, 1, 2});
  CHECK(ledger() == "");
}

TEST_CASE_METHOD(schedules, "the same definition again changes nothing, another one is a new version from its next instant on") {
  put(every_minute());
  advance(59s); // between two instants
  const auto before = record();
  auto again = put(every_minute());
  CHECK_FALSE(again.created);
  CHECK(again.schedule.version == 1);
  CHECK(record().state == before.state);
  auto other = every_minute();
  other.when.cron = "*/10 * * * *";
  again = put(other);
  CHECK(again.schedule.version == 2);
  CHECK(again.schedule.state.last_at == minute);
  CHECK(*again.schedule.state.next_at > minute);
  CHECK(*again.schedule.state.next_at <= minute + 10min);
  CHECK((*again.schedule.state.next_at).time_since_epoch() % 10min == 0us);

  auto bad = every_minute();
  bad.when.timezone = "Mars/Olympus";
  schedule_command command;
  command.name = "s";
  command.spec = bad;
  const auto refused = order(command);
  REQUIRE_FALSE(refused);
  CHECK(refused.failure().faults.at(0).field == "/timezone");
  CHECK(record().version == 2);
}

TEST_CASE_METHOD(schedules, "R17: an answer that is lost fires no instant twice and none never") {
  put(every_minute());
  c.writes->hold = true;
  advance(58s); // the firing is committed, its answer held
  CHECK(unfinished().size() == 1);
  kill(c);
  c = start_coordinator("c1");
  s = start_scheduler(c.actor);
  advance(5s);
  CHECK(c.view->term() != 0);
  auto w = connect(c, "w", 5);
  advance_beating({w}, 1min);
  CHECK(given(*w) == std::vector<std::int64_t>{0, 1});
  CHECK(unfinished().size() == 2);
}

TEST_CASE_METHOD(schedules, "what came due while nobody led fires once, and the rest is told") {
  put(every_minute());
  auto all = every_minute("all");
  all.misfire = misfire_policy::all;
  put(all);
  kill(c);
  advance(57s + 10min + 30s); // eleven instants, the last half a minute ago
  c = start_coordinator("c1");
  s = start_scheduler(c.actor);
  advance(2s);
  CHECK(unfinished().size() == 1);
  CHECK(ledger() == "0 misfired, 1 misfired, 2 misfired, 3 misfired, 4 misfired, 5 misfired, 6 misfired, 7 misfired, 8 misfired, 9 misfired");
  CHECK(record().state.last_at == minute + 10min);
  CHECK(unfinished("all").size() == 11);
  CHECK(ledger("all") == "");
}

TEST_CASE_METHOD(schedules, "overlap skip: an instant passes while a task is unfinished, retries included") {
  auto spec = every_minute();
  spec.overlap = overlap_policy::skip;
  spec.task.retry.initial = 90s;
  put(spec);
  auto w = connect(c, "w", 5);
  advance_beating({w}, 58s);
  REQUIRE(w->assigned().size() == 1);
  say(*w, finished_tasks{{result_of(w->assigned()[0], run_outcome::failed)}}); // waits for its retry, which is unfinished too
  advance_beating({w}, 1min);
  CHECK(ledger() == "1 overlapped");
  advance_beating({w}, 45s);
  REQUIRE(w->assigned().size() == 2);
  finish(*w, 1);
  advance_beating({w}, 30s);
  CHECK(given(*w) == std::vector<std::int64_t>{0, 0, 2});
}

TEST_CASE_METHOD(schedules, "overlap buffer_one: the first instant that overlaps starts when the task has ended") {
  auto spec = every_minute();
  spec.overlap = overlap_policy::buffer_one;
  put(spec);
  auto w = connect(c, "w", 5);
  advance_beating({w}, 58s + 2min);
  CHECK(w->assigned().size() == 1);
  CHECK(ledger() == "2 overlapped");
  CHECK(record().state.buffered == minute + 1min);
  finish(*w, 0);
  settle();
  REQUIRE(w->assigned().size() == 2); // at once, no time has passed
  CHECK(given(*w) == std::vector<std::int64_t>{0, 1});
  CHECK_FALSE(record().state.buffered);
  // It waits through a takeover too.
  advance_beating({w}, 1min);
  CHECK(record().state.buffered == minute + 3min);
  kill(c);
  advance(5s);
  c = start_coordinator("c1");
  advance(2s);
  auto back = connect(c, "w", 5, {}, {"k"}, "2");
  advance_beating({back}, 2s);
  for (const auto& a : back->assigned()) say(*back, finished_tasks{{result_of(a)}});
  advance_beating({back}, 2s);
  CHECK(given(*back).back() == 3);
}

TEST_CASE_METHOD(schedules, "overlap cancel_running: the last task is told to stop, and the next starts when it has") {
  auto spec = every_minute();
  spec.overlap = overlap_policy::cancel_running;
  put(spec);
  auto w = connect(c, "w", 5);
  advance_beating({w}, 58s);
  REQUIRE(w->assigned().size() == 1);
  advance_beating({w}, 1min);
  CHECK_FALSE(w->all<cancel_run>().empty());
  CHECK(w->all<cancel_run>()[0].task == w->assigned()[0].what.what.task);
  CHECK(w->assigned().size() == 1); // never two at once
  say(*w, finished_tasks{{result_of(w->assigned()[0], run_outcome::cancelled)}});
  advance_beating({w}, 1s);
  CHECK(given(*w) == std::vector<std::int64_t>{0, 1});
  CHECK(stored(w->assigned()[0].what.what.task).state == task_state::cancelled);
  // One that nobody took is cancelled by itself.
  auto idle = every_minute("idle");
  idle.overlap = overlap_policy::cancel_running;
  idle.task.kind = "nobody";
  put(idle);
  advance_beating({w}, 1min);
  const auto first = unfinished("idle");
  REQUIRE(first.size() == 1);
  advance_beating({w}, 1min);
  CHECK(stored(first[0]).state == task_state::cancelled);
  CHECK(unfinished("idle").size() == 1);
}

TEST_CASE_METHOD(schedules, "pause, resume, delete") {
  put(every_minute());
  REQUIRE(simple(verb::pause));
  CHECK(record().state.paused);
  CHECK(record().version == 1);
  advance(58s + 1min);
  CHECK(unfinished().empty());
  CHECK(ledger() == "0 paused, 1 paused");
  put(every_minute()); // says nothing about it: it stays paused
  CHECK(record().state.paused);
  const auto resumed = simple(verb::resume);
  REQUIRE(resumed);
  CHECK(resumed->schedule.state.next_at == minute + 2min);
  advance(1min);
  CHECK(unfinished().size() == 1);
  REQUIRE(simple(verb::remove));
  advance(2min);
  CHECK(unfinished().size() == 1); // its task stays
  CHECK(simple(verb::pause).failure().code == ec::not_found);
  put(every_minute(), true);
  CHECK(record().state.paused);
}

TEST_CASE_METHOD(schedules, "trigger starts one now, paused or not; beside an unfinished one only when told") {
  auto spec = every_minute();
  spec.overlap = overlap_policy::skip;
  put(spec, true);
  const auto first = simple(verb::trigger);
  REQUIRE(first);
  REQUIRE(first->tasks.size() == 1);
  CHECK(options_of(first->tasks[0].options).schedule == "s");
  CHECK(unfinished().size() == 1);
  advance(1ms);
  const auto refused = simple(verb::trigger);
  REQUIRE_FALSE(refused);
  CHECK(refused.failure().code == ec::conflict);
  schedule_command command;
  command.what = verb::trigger;
  command.name = "s";
  command.beside_unfinished = true;
  REQUIRE(order(command));
  CHECK(unfinished().size() == 2);
  CHECK(record().state.next_at == minute);
}

TEST_CASE_METHOD(schedules, "backfill gives each past instant a task that has none, and again none twice") {
  put(every_minute());
  REQUIRE(simple(verb::pause));
  advance(58s + 4min); // five passed
  REQUIRE(simple(verb::resume));
  advance(1min);
  CHECK(ledger() == "0 paused, 1 paused, 2 paused, 3 paused, 4 paused");
  schedule_command command;
  command.what = verb::backfill;
  command.name = "s";
  command.from = minute + 2min;
  command.until = wall();
  auto filled = order(command);
  REQUIRE(filled);
  CHECK(filled->matched == 4); // 2, 3, 4, and 5, which fired by itself
  CHECK(filled->tasks.size() == 3);
  CHECK(filled->tasks[0].run_at <= wall());
  CHECK(ledger() == "0 paused, 1 paused");
  filled = order(command);
  REQUIRE(filled);
  CHECK(filled->tasks.empty());
  CHECK(unfinished().size() == 4);
  command.from = minute - 24h * 30;
  const auto much = order(command);
  REQUIRE_FALSE(much);
  CHECK(much.failure().code == ec::unprocessable);
  CHECK(unfinished().size() == 4);
}

TEST_CASE_METHOD(schedules, "a year of */5 * * * * is 105,120 tasks, one an instant, through ten leaders") {
  // Hours pass at once: the leader works through what has come due, as after an outage that `all` makes up for.
  auto spec = every_minute();
  spec.when.cron = "*/5 * * * *";
  spec.misfire = misfire_policy::all;
  spec.misfire_window = 24h * 366;
  const auto begin = timestamp(std::chrono::ceil<std::chrono::hours>(wall()));
  spec.when.starts_at = begin;
  spec.when.ends_at = begin + 365 * 24h - 1us;
  put(spec);
  for (int leader = 0; leader < 10; ++leader) {
    // Some of its year each, and gone in the middle of what it does: answers of its last writes are lost.
    for (int day = 0; day < 37; ++day) {
      scheduler.clock().current_time += 24h;
      advance(2s); // the lease of hours ago is over: it takes it anew
    }
    c.writes->hold = leader % 2 == 0;
    scheduler.clock().current_time += 1h;
    advance(3s);
    kill(c);
    advance(3s);
    c = start_coordinator("c" + std::to_string(leader + 1));
    advance(1s);
  }
  advance(1min);
  std::set<timestamp> instants;
  std::size_t tasks = 0;
  for (const auto& [id, row] : database->tasks) {
    ++tasks;
    instants.insert(*options_of(row.task.options).scheduled_for);
  }
  CHECK(tasks == 105'120);
  CHECK(instants.size() == 105'120);
  CHECK(*instants.begin() == begin);
  CHECK(*instants.rbegin() == begin + 365 * 24h - 5min);
  CHECK_FALSE(record().state.next_at);
  CHECK(ledger() == "");
}
