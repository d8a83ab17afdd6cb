// Control of tasks: keys with scope and policy, changes by hand, checkpoints, reasons, retries spread over time.
#include "tests/store/worlds.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

new_task keyed(unique_scope scope = {}, unique_policy policy = {}, duration period = duration{0}) {
  auto n = wanted();
  n.spec.unique_key = "k";
  n.spec.options.scope = scope;
  n.spec.options.policy = policy;
  n.spec.options.unique_period = period;
  return n;
}

inserted insert(task_store& store, const new_task& n) { return must(store.insert({n}, limit)).at(0); }

task_change free_key_of(const task& t) {
  auto c = mark_of(t, {1, 1});
  c.what = task_change::type::free_key;
  return c;
}

task_edition edition_of(const task& t) { return {version_of(t), t, {}, {}}; }

kept_checkpoint checkpoint_of(const task& t, const std::string& json) {
  return {t.id, version_of(t), std::make_shared<const std::string>(json)};
}

std::string checkpoint(task_store& store, const uuid& id) {
  const auto rows = must(store.load({id}, limit));
  return rows.empty() ? "no task" : rows[0].checkpoint ? *rows[0].checkpoint : "none";
}

} // namespace

STORE_CASE("a key held while waiting is free once it was freed, whatever becomes of the task") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  const auto first = insert(*store, keyed(unique_scope::while_waiting)).task;
  auto second = insert(*store, keyed(unique_scope::while_waiting));
  CHECK(second.held);
  CHECK(second.task.id == first.id);
  auto old = first;
  old.attempt = 7;
  CHECK(change(*store, term, free_key_of(old)).verdict == change_verdict::stale);
  CHECK(insert(*store, keyed()).held);
  for (int i = 0; i < 2; ++i) CHECK(change(*store, term, free_key_of(first)).verdict == change_verdict::applied);
  second = insert(*store, keyed(unique_scope::while_waiting));
  CHECK_FALSE(second.repeated);
  // The end of the first, which held it once, frees nothing of the second's.
  REQUIRE(change(*store, term, finish_of(first, {term, 1})).verdict == change_verdict::applied);
  CHECK(insert(*store, keyed()).task.id == second.task.id);
}

STORE_CASE("a key for a period outlives its task and ends with the period") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  const auto first = insert(*store, keyed(unique_scope::for_period, {}, 1500ms)).task;
  REQUIRE(change(*store, term, finish_of(first, {term, 1})).verdict == change_verdict::applied);
  const auto held = insert(*store, keyed(unique_scope::for_period, {}, 1h));
  CHECK(held.held);
  CHECK(held.task.id == first.id);
  const auto shown = must(store->find(first.id, limit));
  CHECK(shown->task.unique_key == "k");
  CHECK(options_of(shown->task.options).unique_period == 1500ms);
  world.pass(1600ms);
  CHECK_FALSE(insert(*store, keyed()).repeated);
  // Run again by hand, it takes no key.
  CHECK(must(store->reopen(term, first.id, limit)).unique_key == "k");
}

STORE_CASE("who refuses is told who holds the key, and its idempotency key is not used up") {
  TestType world;
  auto store = world.connect();
  const auto first = insert(*store, keyed()).task;
  auto n = keyed({}, unique_policy::refuse);
  n.spec.idempotency_key = "i";
  n.fingerprint = "1";
  const auto second = insert(*store, n);
  REQUIRE(second.refused);
  CHECK(second.refused->code == ec::conflict);
  CHECK(second.refused->faults.at(0).field == "/unique/key");
  CHECK(second.refused->faults.at(0).detail.find(first.id.str()) != std::string::npos);
  auto other = wanted();
  other.spec.idempotency_key = "i";
  other.fingerprint = "2";
  CHECK_FALSE(insert(*store, other).refused);
}

STORE_CASE("a change by hand makes the next version, and asked again it is the same") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto n = wanted();
  n.spec.labels = {{"a", "b"}};
  n.spec.unique_key = "u";
  const auto t = stored(*store, n);
  auto e = edition_of(t);
  e.row.queue = "other";
  e.row.priority = 7;
  e.row.payload = std::make_shared<const std::string>(R"({"n":1})");
  e.row.timeout = 90s;
  e.row.max_attempts = 9;
  e.row.retry = {3s, 1.5, 1h, 0.25};
  e.row.concurrency_key = "c";
  task_options options;
  options.heartbeat_timeout = 30s;
  e.row.options = share(options);
  e.wait = 1h;
  const auto before = must(store->clock(limit));
  const auto row = must(store->edit(term, e, limit));
  REQUIRE(row);
  CHECK(version_of(*row) == task_version{2, 0});
  CHECK(row->run_at >= before + 1h);
  CHECK(row->created_at == t.created_at);
  const auto shown = must(store->find(t.id, limit));
  REQUIRE(shown);
  const auto& now = shown->task;
  CHECK(now.queue == "other");
  CHECK(now.priority == 7);
  CHECK(*now.payload == R"({"n":1})");
  CHECK(now.timeout == 90s);
  CHECK(now.max_attempts == 9);
  CHECK(now.retry == e.row.retry);
  CHECK(now.concurrency_key == "c");
  CHECK(now.unique_key == "u");
  CHECK(options_of(now.options).heartbeat_timeout == 30s);
  CHECK(shown->labels == n.spec.labels);
  CHECK(must(store->buckets(limit)) == std::vector<bucket_key>{{"other", "noop", 7}});

  const auto again = must(store->edit(term, e, limit));
  REQUIRE(again);
  CHECK(version_of(*again) == task_version{2, 0});
  CHECK(again->run_at == row->run_at);
  e.labels = std::map<std::string, std::string>{};
  e.wait.reset();
  e.of = {2, 0};
  e.row.run_at = before;
  REQUIRE(must(store->edit(term, e, limit)));
  CHECK(must(store->find(t.id, limit))->labels.empty());
  CHECK(must(store->load({t.id}, limit)).at(0).run_at == before);
}

STORE_CASE("a change by hand of another version, of a finished task or by a deposed leader changes nothing") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  const auto t = stored(*store, wanted());
  auto e = edition_of(t);
  e.row.priority = 7;
  e.of = {5, 0};
  CHECK_FALSE(must(store->edit(term, e, limit)));
  const auto deposed = store->edit(term - 1, edition_of(t), limit);
  REQUIRE_FALSE(deposed);
  CHECK(deposed.failure().code == ec::deposed);
  CHECK(must(store->load({t.id}, limit)).at(0).priority == 0);
  // What was handed out before the change is of the old version: its outcome changes nothing.
  e.of = version_of(t);
  REQUIRE(must(store->edit(term, e, limit)));
  CHECK(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::stale);
  auto changed = must(store->load({t.id}, limit)).at(0);
  REQUIRE(change(*store, term, finish_of(changed, {term, 2})).verdict == change_verdict::applied);
  e.of = version_of(changed);
  CHECK_FALSE(must(store->edit(term, e, limit)));
}

STORE_CASE("a checkpoint is there for the next attempt, until the task has succeeded") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  const auto keep = [&](const kept_checkpoint& c) { must(store->keep_checkpoints(term, {c}, limit)); };
  keep(checkpoint_of(t, R"({"n":1})"));
  keep(checkpoint_of(t, R"({"n":2})"));
  auto old = t;
  old.losses = 3;
  keep(checkpoint_of(old, R"({"n":3})")); // another version's
  CHECK(checkpoint(*store, t.id) == R"({"n":2})");
  const auto window = must(store->load_window({"default", "noop", 0}, window_mark::start(), 10, 1 << 20, limit));
  REQUIRE(window.tasks.size() == 1);
  CHECK(*window.tasks[0].checkpoint == R"({"n":2})");
  REQUIRE(change(*store, term, retry_of(t, {term, 1})).verdict == change_verdict::applied);
  CHECK(checkpoint(*store, t.id) == R"({"n":2})");
  CHECK(must(store->find(t.id, limit))->task.checkpoint);
  t.attempt = 2;
  REQUIRE(change(*store, term, finish_of(t, {term, 2}, task_state::failed)).verdict == change_verdict::applied);
  CHECK(*must(store->reopen(term, t.id, limit)).checkpoint == R"({"n":2})"); // a retry by hand goes on from there
  keep({t.id, {}, nullptr});
  CHECK(checkpoint(*store, t.id) == "none");
  CHECK_FALSE(store->keep_checkpoints(term - 1, {checkpoint_of(t, "1")}, limit));
}

STORE_CASE("dead letters are listed by their reason, and reopened they may wait") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  std::vector<task> tasks;
  for (const auto* reason : {"lost", "timeout", "lost"}) {
    tasks.push_back(stored(*store, wanted()));
    auto c = finish_of(tasks.back(), {term, tasks.size()}, task_state::failed);
    c.reason = reason;
    REQUIRE(change(*store, term, c).verdict == change_verdict::applied);
  }
  task_filter f;
  f.state = task_state::failed;
  f.reason = "lost";
  CHECK(must(store->list(f, limit)).tasks.size() == 2);
  f.reason = "quarantined";
  CHECK(must(store->list(f, limit)).tasks.empty());
  const auto now = must(store->clock(limit));
  const auto again = must(store->reopen(term, tasks[0].id, limit, 1h));
  CHECK(again.run_at >= now + 1h);
  CHECK(must(store->find(again.id, limit))->state == task_state::scheduled);
}
