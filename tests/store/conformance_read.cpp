// Reading: one task, pages, queues, attempts.
#include "tests/store/worlds.hpp"

#include <set>

using namespace taskmaster;
using namespace taskmaster::test;

STORE_CASE("find tells scheduled, ready and each final state") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto due = wanted(), later = wanted();
  later.spec.delay = 1h;
  stored(*store, due);
  stored(*store, later);
  CHECK(must(store->find(due.id, limit))->state == task_state::ready);
  CHECK(must(store->find(later.id, limit))->state == task_state::scheduled);
  CHECK_FALSE(must(store->find(wanted().id, limit)));

  std::uint64_t sequence = 0;
  for (auto state : {task_state::succeeded, task_state::failed, task_state::cancelled, task_state::expired}) {
    auto n = wanted("final");
    n.spec.labels = {{"a", "b"}};
    auto t = stored(*store, n);
    auto c = finish_of(t, {term, ++sequence}, state);
    c.picked_at = t.created_at;
    c.started_at = t.created_at + 1us;
    c.reason = "because";
    c.result = R"({"output":"x"})";
    if (state == task_state::failed) c.failure = task_error{"exit", "exit code 3"};
    REQUIRE(change(*store, term, c).verdict == change_verdict::applied);
    auto r = must(store->find(n.id, limit));
    REQUIRE(r);
    CHECK(r->state == state);
    CHECK(r->reason == "because");
    CHECK(r->result == c.result);
    CHECK(r->worker == "w1");
    CHECK(r->fence == c.fence);
    CHECK(r->picked_at == c.picked_at);
    CHECK(r->started_at == c.started_at);
    REQUIRE(r->finished_at);
    CHECK(*r->finished_at >= t.created_at);
    CHECK(r->error == c.failure);
    CHECK(r->labels == n.spec.labels);
    CHECK(r->task.kind == "final");
    CHECK(*r->task.payload == "null");
    CHECK(r->task.created_at == t.created_at);
  }
}

STORE_CASE("list walks finished and unfinished tasks newest first, in pages") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  std::vector<uuid> ids;
  for (int i = 0; i < 11; ++i) {
    auto t = stored(*store, wanted());
    if (i % 2) REQUIRE(change(*store, term, finish_of(t, {term, 1u + i})).verdict == change_verdict::applied);
    ids.push_back(t.id);
  }
  std::sort(ids.rbegin(), ids.rend());
  std::vector<uuid> seen;
  task_filter filter;
  filter.limit = 4;
  int pages = 0;
  do {
    auto page = must(store->list(filter, limit));
    for (const auto& r : page.tasks) seen.push_back(r.task.id);
    filter.cursor = page.next_cursor;
    ++pages;
  } while (!filter.cursor.empty() && pages < 10);
  CHECK(pages == 3);
  CHECK(seen == ids);
}

STORE_CASE("a page that ends exactly at the last task has no next cursor") {
  TestType world;
  auto store = world.connect();
  for (int i = 0; i < 4; ++i) stored(*store, wanted());
  task_filter filter;
  filter.limit = 4;
  auto page = must(store->list(filter, limit));
  CHECK(page.tasks.size() == 4);
  CHECK(page.next_cursor.empty());
}

STORE_CASE("a page of large tasks ends early and goes on at its cursor") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  std::set<uuid> ids;
  const auto now = must(store->clock(limit));
  const std::string large = '"' + std::string(limits::payload_bytes - 2, 'x') + '"';
  for (int i = 0; i < 7; ++i) {
    auto n = wanted();
    n.id = uuid::make(now + i * 1ms); // in this order for certain
    n.spec.payload = large;
    auto t = stored(*store, n);
    ids.insert(t.id);
    if (i < 4) { // the results of finished tasks count as payloads do; one alone is more than a page
      auto c = finish_of(t, {term, 1u + i});
      c.result = i == 1 ? '"' + std::string(limits::page_bytes, 'y') + '"' : large;
      REQUIRE(change(*store, term, c).verdict == change_verdict::applied);
    }
  }
  std::vector<std::size_t> sizes;
  task_filter filter;
  do {
    auto page = must(store->list(filter, limit));
    REQUIRE_FALSE(page.tasks.empty());
    std::size_t bytes = 0;
    for (const auto& r : page.tasks) {
      bytes += r.task.payload->size() + r.result.size();
      CHECK(ids.erase(r.task.id) == 1);
    }
    CHECK((bytes <= limits::page_bytes || page.tasks.size() == 1));
    sizes.push_back(page.tasks.size());
    filter.cursor = page.next_cursor;
  } while (!filter.cursor.empty());
  CHECK(ids.empty());
  CHECK(sizes == std::vector<std::size_t>{3, 1, 1, 1, 1});
}

STORE_CASE("list keeps to its filters") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = wanted("a"), b = wanted("b"), c = wanted("a"), d = wanted("a");
  a.spec.labels = {{"team", "x"}, {"env", "p"}};
  b.spec.queue = "mail";
  c.spec.delay = 1h;
  c.spec.labels = {{"team", "x"}};
  d.spec.labels = {{"team", "y"}};
  for (const auto& n : {a, b, c}) stored(*store, n);
  auto done = stored(*store, d);
  REQUIRE(change(*store, term, finish_of(done, {term, 1}, task_state::failed)).verdict ==
          change_verdict::applied);

  auto listed = [&](task_filter f) {
    std::set<uuid> ids;
    for (const auto& r : must(store->list(f, limit)).tasks) ids.insert(r.task.id);
    return ids;
  };
  task_filter f;
  CHECK(listed(f).size() == 4);
  f.kind = "a";
  CHECK(listed(f) == std::set<uuid>{a.id, c.id, d.id});
  f.labels = {{"team", "x"}};
  CHECK(listed(f) == std::set<uuid>{a.id, c.id});
  f.labels["env"] = "p";
  CHECK(listed(f) == std::set<uuid>{a.id});
  f = {};
  f.queue = "mail";
  CHECK(listed(f) == std::set<uuid>{b.id});
  f = {};
  f.state = task_state::ready;
  CHECK(listed(f) == std::set<uuid>{a.id, b.id});
  f.state = task_state::scheduled;
  CHECK(listed(f) == std::set<uuid>{c.id});
  f.state = task_state::failed;
  CHECK(listed(f) == std::set<uuid>{d.id});
  f.state = task_state::running;
  CHECK(listed(f).empty());
  f.ids = {a.id, d.id};
  CHECK(listed(f) == std::set<uuid>{a.id});
  f.state.reset();
  CHECK(listed(f) == std::set<uuid>{a.id, d.id});
}

STORE_CASE("a cursor that no page gave is an invalid argument") {
  TestType world;
  auto store = world.connect();
  task_filter f;
  f.cursor = "elsewhere";
  auto page = store->list(f, limit);
  REQUIRE_FALSE(page);
  CHECK(page.failure().code == ec::invalid_argument);
}

STORE_CASE("attempts lists each run, the plain success last") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  auto failed = retry_of(t, {term, 1});
  failed.failure = task_error{"exit", "exit code 1"};
  failed.picked_at = failed.started_at = t.created_at;
  REQUIRE(change(*store, term, failed).verdict == change_verdict::applied);
  t.attempt = 2;
  REQUIRE(change(*store, term, lose_of(t, {term, 2})).verdict == change_verdict::applied);
  t.losses = 1;
  REQUIRE(change(*store, term, retry_of(t, {term, 3}, 0s, false)).verdict == change_verdict::applied);
  t.attempt = 3;
  REQUIRE(change(*store, term, finish_of(t, {term, 4})).verdict == change_verdict::applied);

  auto runs = must(store->attempts(t.id, limit));
  REQUIRE(runs.size() == 4);
  CHECK(runs[0].outcome == "failed");
  CHECK(runs[0].attempt == 1);
  CHECK(runs[0].reason == "retry");
  CHECK(runs[0].error == failed.failure);
  CHECK(runs[0].started_at == failed.started_at);
  CHECK(runs[0].finished_at);
  CHECK(runs[1].outcome == "lost");
  CHECK(runs[1].attempt == 2);
  CHECK(runs[1].losses == 0);
  CHECK(runs[1].fence == fence{term, 2});
  CHECK(runs[2].outcome == "deferred");
  CHECK(runs[2].losses == 1);
  CHECK(runs[3].outcome == "succeeded");
  CHECK(runs[3].attempt == 3);
  CHECK(runs[3].worker == "w1");
}

STORE_CASE("a run that failed for good is listed once, a task cancelled before its run has none") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto failed = stored(*store, wanted()), cancelled = stored(*store, wanted());
  REQUIRE(change(*store, term, finish_of(failed, {term, 1}, task_state::failed)).verdict ==
          change_verdict::applied);
  auto c = finish_of(cancelled, {}, task_state::cancelled);
  c.worker.clear();
  REQUIRE(change(*store, term, c).verdict == change_verdict::applied);
  auto runs = must(store->attempts(failed.id, limit));
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].outcome == "failed");
  CHECK(must(store->attempts(cancelled.id, limit)).empty());
}

STORE_CASE("queues are counted by what is due and what is not") {
  TestType world;
  auto store = world.connect();
  CHECK(must(store->queues(limit)).empty());
  auto a = wanted(), b = wanted(), c = wanted();
  b.spec.delay = 1h;
  c.spec.queue = "mail";
  for (const auto& n : {a, b, c}) stored(*store, n);
  auto queues = must(store->queues(limit));
  REQUIRE(queues.size() == 2);
  CHECK(queues[0].name == "default");
  CHECK(queues[0].ready == 1);
  CHECK(queues[0].scheduled == 1);
  CHECK_FALSE(queues[0].capped);
  CHECK(queues[1].name == "mail");
  CHECK(queues[1].ready == 1);
  CHECK(queues[1].scheduled == 0);
}

STORE_CASE("a queue is counted up to a cap") {
  TestType world;
  auto store = world.connect();
  std::vector<new_task> batch;
  for (int i = 0; i < 10'001; ++i) batch.push_back(wanted(i % 2 ? "a" : "b"));
  must(store->insert(batch, limit));
  auto queues = must(store->queues(limit));
  REQUIRE(queues.size() == 1);
  CHECK(queues[0].ready == 10'000);
  CHECK(queues[0].scheduled == 0);
  CHECK(queues[0].capped);
}
