// Schedules: definitions, R17, the ledger.
#include "tests/store/worlds.hpp"

#include <algorithm>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

schedule_record record_of(const std::string& name, timestamp next) {
  schedule_record r;
  r.spec.name = name;
  r.spec.when.cron = "*/5 * * * *";
  r.spec.when.timezone = "Europe/Berlin";
  r.spec.overlap = overlap_policy::skip;
  r.spec.jitter = 250ms;
  auto& t = r.spec.task;
  t.kind = "report";
  t.queue = "nightly";
  t.priority = 3;
  t.payload = R"({"n": 123456789012345678901234567890})";
  t.timeout = 90s;
  t.max_attempts = 7;
  t.retry.factor = 1.5;
  t.retry.initial = 250ms;
  t.retry.jitter = 0;
  t.concurrency_key = "k";
  t.labels = {{"team", "mail"}};
  t.options.webhook = "https://hooks.example.org/x";
  r.state.next_at = next;
  r.state.step = 1;
  r.tzdata = "2026a";
  return r;
}

schedule_firing firing_of(const schedule_record& r, std::vector<timestamp> instants) {
  schedule_firing f;
  f.spec = std::make_shared<const schedule_spec>(r.spec);
  f.step = r.state.step;
  f.next = r.state;
  for (const auto t : instants) {
    f.tasks.push_back({uuid::make(t), t, t + 10ms});
    f.next.last_at = t;
    f.next.next_at = t + 5min;
  }
  return f;
}

fired_schedule fire(task_store& store, std::uint64_t term, const schedule_firing& f) {
  auto answer = must(store.fire_schedules(term, {f}, limit));
  REQUIRE(answer.size() == 1);
  return answer[0];
}

void same(const schedule_record& a, const schedule_record& b) {
  CHECK(digest(a.spec) == digest(b.spec));
  CHECK(a.spec.name == b.spec.name);
  CHECK(a.spec.task.payload == b.spec.task.payload);
  CHECK(a.spec.task.options == b.spec.task.options);
  CHECK(a.version == b.version);
  CHECK(a.state == b.state);
}

} // namespace

STORE_CASE("a schedule comes back as it was put, under the leader's term alone") {
  TestType world;
  auto store = world.connect();
  auto lease = lead(*store);
  const auto next = must(store->clock(limit)) + 1h;
  auto r = record_of("a", next);
  const auto made = must(store->put_schedule(lease.term, r, limit));
  CHECK(made.updated_at - made.created_at < 1s); // two defaults of one insert, each of its own microsecond
  auto found = must(store->find_schedule("a", limit));
  REQUIRE(found);
  same(*found, r);
  CHECK(found->created_at == made.created_at);
  CHECK_FALSE(must(store->find_schedule("b", limit)));
  world.pass(1ms);

  // Paused: another state of the same version. Then another definition.
  r.state.paused = true;
  r.state.buffered = next - 2h;
  r.state.step = 2;
  CHECK(must(store->put_schedule(lease.term, r, limit)).updated_at == made.updated_at);
  r.version = 2;
  r.spec.when.cron.reset();
  r.spec.when.every = 90s;
  r.spec.task.labels.clear();
  r.spec.task.concurrency_key.clear();
  r.spec.task.delivery = delivery_mode::at_most_once;
  r.spec.task.max_attempts = 1;
  r.state.next_at.reset();
  const auto changed = must(store->put_schedule(lease.term, r, limit));
  CHECK(changed.updated_at > made.updated_at);
  CHECK(changed.created_at == made.created_at);
  same(*must(store->find_schedule("a", limit)), r);

  auto late = store->put_schedule(lease.term + 1, r, limit);
  REQUIRE_FALSE(late);
  CHECK(late.failure().code == ec::deposed);
  CHECK(store->delete_schedule(lease.term, "nobody", limit).failure().code == ec::not_found);
  must(store->delete_schedule(lease.term, "a", limit));
  CHECK_FALSE(must(store->find_schedule("a", limit)));
}

STORE_CASE("schedules are listed by name, page by page") {
  TestType world;
  auto store = world.connect();
  auto lease = lead(*store);
  const auto next = must(store->clock(limit)) + 1h;
  for (const char* name : {"c", "a", "b-1", "b.2", "d"}) must(store->put_schedule(lease.term, record_of(name, next), limit));
  std::vector<std::string> names;
  std::string cursor;
  int pages = 0;
  do {
    auto page = must(store->schedules(cursor, 2, limit));
    CHECK(page.schedules.size() <= 2);
    for (const auto& s : page.schedules) names.push_back(s.spec.name);
    cursor = page.next_cursor;
  } while (!cursor.empty() && ++pages < 10);
  CHECK(names == std::vector<std::string>{"a", "b-1", "b.2", "c", "d"});
  CHECK(pages == 2);

  // Long payloads make short pages and lose none.
  for (const char* name : {"m1", "m2", "m3", "m4", "m5", "m6"}) {
    auto r = record_of(name, next);
    r.spec.task.payload = '"' + std::string(1'000'000, 'x') + '"';
    must(store->put_schedule(lease.term, r, limit));
  }
  names.clear();
  cursor = "d";
  do {
    auto page = must(store->schedules(cursor, 100, limit));
    for (const auto& s : page.schedules) names.push_back(s.spec.name);
    cursor = page.next_cursor;
  } while (!cursor.empty());
  CHECK(names == std::vector<std::string>{"m1", "m2", "m3", "m4", "m5", "m6"});
}

STORE_CASE("R17: an instant has one task, however often and by whomever it is fired") {
  TestType world;
  auto store = world.connect();
  auto lease = lead(*store);
  const auto next = must(store->clock(limit)) + 1h;
  auto r = record_of("a", next);
  must(store->put_schedule(lease.term, r, limit));

  const auto first = fire(*store, lease.term, firing_of(r, {next, next + 5min}));
  REQUIRE(first.moved);
  REQUIRE(first.tasks.size() == 2);
  const auto& t = first.tasks[0];
  CHECK(t.run_at == next + 10ms);
  CHECK(t.kind == "report");
  CHECK(*t.payload == r.spec.task.payload);
  const auto row = must(store->find(t.id, limit));
  REQUIRE(row);
  CHECK(row->task.queue == "nightly");
  CHECK(row->task.priority == 3);
  CHECK(row->task.timeout == 90s);
  CHECK(row->task.max_attempts == 7);
  CHECK(row->task.retry == r.spec.task.retry);
  CHECK(row->task.concurrency_key == "k");
  CHECK(row->labels == r.spec.task.labels);
  CHECK(row->task.created_at == t.created_at);
  CHECK(options_of(row->task.options).schedule == "a");
  CHECK(options_of(row->task.options).scheduled_for == next);
  CHECK(options_of(row->task.options).webhook == r.spec.task.options.webhook);
  CHECK(options_of(t.options) == options_of(row->task.options));

  // Sent again after an answer that was lost: the step is another one, nothing happens.
  const auto again = fire(*store, lease.term, firing_of(r, {next, next + 5min}));
  CHECK_FALSE(again.moved);
  CHECK(again.tasks.empty());
  // A leader with an older idea of the time asks for one that fired: it moves, and makes no task.
  auto stored = *must(store->find_schedule("a", limit));
  CHECK(stored.state.step == 2);
  CHECK(stored.state.next_at == next + 10min);
  CHECK(stored.state.last_at == next + 5min);
  const auto known = fire(*store, lease.term, firing_of(stored, {next, next + 10min}));
  CHECK(known.moved);
  REQUIRE(known.tasks.size() == 1);
  CHECK(options_of(known.tasks[0].options).scheduled_for == next + 10min);
  // Not even one of the same name that is made anew fires it twice.
  must(store->delete_schedule(lease.term, "a", limit));
  must(store->put_schedule(lease.term, r, limit));
  CHECK(fire(*store, lease.term, firing_of(r, {next})).tasks.empty());
  CHECK(must(store->unfinished_of({"a"}, limit))["a"].size() == 3);

  auto late = store->fire_schedules(lease.term + 1, {firing_of(r, {next + 1h})}, limit);
  REQUIRE_FALSE(late);
  CHECK(late.failure().code == ec::deposed);
}

STORE_CASE("of many schedules fired at once each has its own answer") {
  TestType world;
  auto store = world.connect();
  auto lease = lead(*store);
  const auto next = must(store->clock(limit)) + 1h;
  std::vector<schedule_firing> all;
  for (const char* name : {"a", "b", "c"}) {
    auto r = record_of(name, next);
    must(store->put_schedule(lease.term, r, limit));
    all.push_back(firing_of(r, {next}));
  }
  all[1].step = 9;
  all[1].ledger.push_back({next - 1h, next - 1h, 1, "misfired"});
  all[2].tasks.clear();
  all[2].next.buffered = next;
  const auto answers = must(store->fire_schedules(lease.term, all, limit));
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].moved);
  CHECK(answers[0].tasks.size() == 1);
  CHECK_FALSE(answers[1].moved);
  CHECK(answers[1].tasks.empty());
  CHECK(answers[2].moved);
  CHECK(must(store->find_schedule("c", limit))->state.buffered == next);
  CHECK(must(store->schedule_ledger("b", "", 10, limit)).rows.empty());
  CHECK(must(store->fire_schedules(lease.term, {}, limit)).empty());
}

STORE_CASE("the ledger keeps what did not fire, newest first, until it fires after all") {
  TestType world;
  auto store = world.connect();
  auto lease = lead(*store);
  const auto next = must(store->clock(limit)) + 1h;
  auto r = record_of("a", next);
  must(store->put_schedule(lease.term, r, limit));
  auto f = firing_of(r, {});
  f.ledger = {{next - 3h, next - 2h, 60, "paused"}, {next - 1h, next - 1h, 1, "misfired"}, {next, next, 1, "overlapped"}};
  fire(*store, lease.term, f);
  auto page = must(store->schedule_ledger("a", "", 2, limit));
  REQUIRE(page.rows.size() == 2);
  CHECK(page.rows[0].what == f.ledger[2]);
  CHECK(page.rows[1].what == f.ledger[1]);
  page = must(store->schedule_ledger("a", page.next_cursor, 2, limit));
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0].what == f.ledger[0]);
  CHECK(page.next_cursor.empty());
  CHECK(store->schedule_ledger("a", "x", 2, limit).failure().code == ec::invalid_argument);

  r = *must(store->find_schedule("a", limit));
  fire(*store, lease.term, firing_of(r, {next - 1h})); // a backfill
  page = must(store->schedule_ledger("a", "", 9, limit));
  REQUIRE(page.rows.size() == 2);
  CHECK(page.rows[0].what.reason == "overlapped");
  must(store->maintain(24h, 60s));
  CHECK(must(store->schedule_ledger("a", "", 9, limit)).rows.size() == 2);
  world.pass(2ms);
  must(store->maintain(1us, 60s));
  CHECK(must(store->schedule_ledger("a", "", 9, limit)).rows.empty());
}

STORE_CASE("unfinished tasks of a schedule are those that are in no history, retried ones among them") {
  TestType world;
  auto store = world.connect();
  auto lease = lead(*store);
  const auto now = must(store->clock(limit));
  auto r = record_of("a", now);
  must(store->put_schedule(lease.term, r, limit));
  auto tasks = fire(*store, lease.term, firing_of(r, {now, now + 1s, now + 2s})).tasks;
  stored(*store, wanted("k"));
  const auto unfinished = [&] {
    auto ids = must(store->unfinished_of({"nobody", "a"}, limit))["a"];
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  CHECK(unfinished().size() == 3);
  change(*store, lease.term, finish_of(tasks[0], {lease.term, 1}));
  change(*store, lease.term, retry_of(tasks[1], {lease.term, 2}));
  auto want = std::vector<uuid>{tasks[1].id, tasks[2].id};
  std::sort(want.begin(), want.end());
  CHECK(unfinished() == want);
  // In its history a task still says where it came from, and back at work it counts again.
  CHECK(options_of(must(store->find(tasks[0].id, limit))->task.options).schedule == "a");
  must(store->reopen(lease.term, tasks[0].id, limit));
  CHECK(unfinished().size() == 3);
}
