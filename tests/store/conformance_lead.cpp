// The lease and what a leader reads: terms, sessions, buckets, windows, scans, upkeep.
#include "tests/store/worlds.hpp"

#include <algorithm>
#include <set>

using namespace taskmaster;
using namespace taskmaster::test;

STORE_CASE("one leads at a time, and terms grow") {
  TestType world;
  auto one = world.connect(), two = world.connect();
  auto none = one->leader(limit);
  REQUIRE_FALSE(none);
  CHECK(none.failure().code == ec::not_found);

  auto first = must(one->acquire("c1", "host:1", 1h, limit));
  REQUIRE(first);
  CHECK(first->previous_term == 0);
  CHECK_FALSE(first->secret.empty());
  // A term is at least the clock in milliseconds, so that fences stay unique when a failover sets the last
  // term back.
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(first->now.time_since_epoch()).count();
  CHECK(first->term + 1000 >= static_cast<std::uint64_t>(ms));
  CHECK_FALSE(must(two->acquire("c2", "host:2", 1h, limit)));
  auto who = must(two->leader(limit));
  CHECK(who.term == first->term);
  CHECK(who.holder == "c1");
  CHECK(who.address == "host:1");
  CHECK(who.expires_at > who.now);

  must(one->resign(first->term, limit));
  auto second = must(two->acquire("c2", "host:2", 1h, limit));
  REQUIRE(second);
  CHECK(second->term > first->term);
  CHECK(second->previous_term == first->term);
  CHECK(second->secret == first->secret);
}

STORE_CASE("a lease is renewed by its own term alone") {
  TestType world;
  auto store = world.connect();
  auto first = lead(*store, 0s);
  world.pass(1ms);
  CHECK(must(store->renew(first.term, 0s, limit))); // late, but nobody else came
  world.pass(1ms);
  auto second = lead(*store, 1h);
  CHECK_FALSE(must(store->renew(first.term, 1h, limit)));
  auto now = must(store->renew(second.term, 2h, limit));
  REQUIRE(now);
  CHECK(must(store->leader(limit)).expires_at == *now + 2h);
}

STORE_CASE("to resign ends one's own lease only, and a late renewal does not bring it back") {
  TestType world;
  auto store = world.connect();
  auto lease = lead(*store);
  must(store->resign(lease.term - 1, limit));
  CHECK_FALSE(must(store->acquire("c2", "", 1h, limit)));
  must(store->resign(lease.term, limit));
  CHECK_FALSE(must(store->renew(lease.term, 1h, limit)));
  CHECK(must(store->acquire("c2", "", 1h, limit)));
}

STORE_CASE("sessions are remembered until they are closed") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store, 0s).term;
  must(store->enlist(term, limit));
  must(store->open_session(term, {"w1", "i1", term}, limit));
  must(store->open_session(term, {"w1", "i2", term}, limit));
  must(store->open_session(term, {"w2", "i1", term}, limit));
  must(store->open_session(term, {"w2", "i1", term}, limit));
  CHECK(must(store->sessions(limit)).size() == 3);
  must(store->close_session(term, "w1", "i1", limit));
  must(store->close_session(term, "nobody", "", limit));
  auto rows = must(store->sessions(limit));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].worker == "w1");
  CHECK(rows[0].incarnation == "i2");
  CHECK(rows[0].term == term);

  // The successor sees them with the term that opened them, and takes over those that come back.
  world.pass(1ms);
  auto next = lead(*store).term;
  CHECK(must(store->sessions(limit)).size() == 2);
  must(store->open_session(next, {"w2", "i1", next}, limit));
  rows = must(store->sessions(limit));
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].term == next);
}

STORE_CASE("buckets are the distinct queues, kinds and priorities of what is unfinished") {
  TestType world;
  auto store = world.connect();
  CHECK(must(store->buckets(limit)).empty());
  std::set<bucket_key> expected;
  for (const auto* queue : {"a", "b-c", "b.c", "b_c", "bc"})
    for (const auto* kind : {"x", "y"})
      for (auto priority : {0, 9}) {
        auto n = wanted(kind);
        n.spec.queue = queue;
        n.spec.priority = priority;
        stored(*store, n);
        if (priority)
          stored(*store, [&] {
            auto m = n;
            m.id = wanted().id;
            return m;
          }());
        expected.insert({queue, kind, priority});
      }
  auto found = must(store->buckets(limit));
  CHECK(std::set<bucket_key>(found.begin(), found.end()) == expected);
  CHECK(found.size() == expected.size());
}

STORE_CASE("a window walks its bucket in the order of run_at and id, page by page") {
  TestType world;
  auto store = world.connect();
  auto start = must(store->clock(limit)) + 1h;
  std::vector<std::pair<timestamp, uuid>> expected;
  std::vector<new_task> batch;
  for (int i = 0; i < 25; ++i) {
    auto n = wanted("k");
    n.spec.run_at = start + std::chrono::seconds(i * 7 % 5); // ties, which the id decides
    expected.push_back({*n.spec.run_at, n.id});
    batch.push_back(n);
  }
  auto foreign = wanted("k");
  foreign.spec.priority = 1;
  batch.push_back(foreign);
  must(store->insert(batch, limit));
  std::sort(expected.begin(), expected.end());

  std::vector<std::pair<timestamp, uuid>> seen;
  auto mark = window_mark::start();
  for (int pages = 0; pages < 9; ++pages) {
    auto page = must(store->load_window({"default", "k", 0}, mark, 10, 1 << 20, limit));
    CHECK(page.tasks.size() <= 10);
    for (const auto& t : page.tasks) seen.push_back({t.run_at, t.id});
    if (!page.more) break;
    mark = {page.tasks.back().run_at, page.tasks.back().id};
  }
  CHECK(seen == expected);
  CHECK(must(store->load_window({"default", "k", 0}, window_mark::end(), 10, 1, limit)).tasks.empty());
}

STORE_CASE("a window is cut by bytes, but gives at least one row") {
  TestType world;
  auto store = world.connect();
  auto start = must(store->clock(limit)) + 1h;
  std::vector<new_task> batch;
  for (int i = 0; i < 6; ++i) {
    batch.push_back(wanted("k"));
    batch.back().spec.payload = "\"" + std::string(998, 'x') + "\"";
    batch.back().spec.run_at = start + std::chrono::seconds(i);
  }
  must(store->insert(batch, limit));
  auto rows = [&](std::size_t bytes) {
    auto page = must(store->load_window({"default", "k", 0}, window_mark::start(), 100, bytes, limit));
    CHECK(page.more == (page.tasks.size() < 6));
    return page.tasks.size();
  };
  CHECK(rows(0) == 1);
  CHECK(rows(1000) == 1);
  CHECK(rows(2500) == 3);
  CHECK(rows(1 << 20) == 6);
}

namespace {
/// Goes through a pass to its end.
std::set<uuid> pass_of(task_store& store, scan_cursor& cursor, std::size_t rows = 100) {
  std::set<uuid> ids;
  for (int pages = 0; pages < 1000; ++pages) {
    auto page = must(store.scan(cursor, rows, limit));
    CHECK(page.tasks.size() <= rows);
    for (const auto& t : page.tasks) ids.insert(t.id);
    cursor = page.next;
    if (!page.more) break;
  }
  return ids;
}
} // namespace

STORE_CASE("a scan meets what was stored since it started, in pages, and again nothing old") {
  TestType world;
  auto store = world.connect();
  auto old = stored(*store, wanted());
  auto cursor = must(store->scan_start(limit));
  CHECK_FALSE(pass_of(*store, cursor).contains(old.id));
  std::vector<new_task> batch;
  for (int i = 0; i < 23; ++i) batch.push_back(wanted());
  must(store->insert(batch, limit));
  auto single = stored(*store, wanted());
  auto seen = pass_of(*store, cursor, 5);
  for (const auto& n : batch) CHECK(seen.contains(n.id));
  CHECK(seen.contains(single.id));
  CHECK_FALSE(seen.contains(old.id));
  CHECK(pass_of(*store, cursor, 5).empty());
}

STORE_CASE("a scan leaves out what the caller was told of, and brings what has changed since") {
  TestType world;
  auto store = world.connect();
  const auto term = lead(*store).term;
  auto cursor = must(store->scan_start(limit));
  const auto told = must(store->insert({wanted(), wanted(), wanted()}, limit));
  const auto untold = stored(*store, wanted());
  std::vector<std::uint64_t> known;
  for (const auto& i : told) {
    REQUIRE(i.transaction > 0);
    known.push_back(i.transaction);
  }
  const auto& changed = told[1].task;
  task_change retry;
  retry.what = task_change::type::retry;
  retry.id = changed.id;
  retry.version = {changed.attempt, changed.losses};
  must(store->record(term, {retry}, limit));
  std::set<uuid> seen;
  for (bool more = true; more;) {
    const auto page = must(store->scan(cursor, 1, limit, known));
    for (const auto& t : page.tasks) seen.insert(t.id);
    cursor = page.next;
    more = page.more;
  }
  CHECK(seen == std::set<uuid>{untold.id, changed.id});
}

STORE_CASE("a scan over large tasks goes in pages bounded by bytes") {
  TestType world;
  auto store = world.connect();
  auto cursor = must(store->scan_start(limit));
  std::vector<new_task> batch;
  for (int i = 0; i < 7; ++i) {
    batch.push_back(wanted());
    batch.back().spec.payload = '"' + std::string(limits::payload_bytes - 2, 'x') + '"';
  }
  must(store->insert(batch, limit));
  auto first = must(store->scan(cursor, 100, limit));
  CHECK(first.more);
  CHECK(first.tasks.size() == 3);
  CHECK(must(store->scan(first.next, 100, limit)).tasks.size() == 3);
  CHECK(pass_of(*store, cursor).size() == 7);
  CHECK(pass_of(*store, cursor).empty());
}

STORE_CASE("a scan meets what was retried, lost and reopened") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = stored(*store, wanted()), b = stored(*store, wanted()), c = stored(*store, wanted()),
       d = stored(*store, wanted());
  REQUIRE(change(*store, term, finish_of(c, {term, 1})).verdict == change_verdict::applied);
  auto cursor = must(store->scan_start(limit));
  must(store->record(term, {retry_of(a, {term, 2}), lose_of(b, {term, 3}), finish_of(d, {term, 4})}, limit));
  must(store->reopen(term, c.id, limit));
  CHECK(pass_of(*store, cursor) == std::set<uuid>{a.id, b.id, c.id});
}

STORE_CASE("load gives the unfinished rows among ids") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = stored(*store, wanted()), b = stored(*store, wanted());
  REQUIRE(change(*store, term, finish_of(b, {term, 1})).verdict == change_verdict::applied);
  auto rows = must(store->load({a.id, b.id, wanted().id}, limit));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].id == a.id);
  CHECK(*rows[0].payload == "null");
  CHECK(must(store->load({}, limit)).empty());
}

STORE_CASE("upkeep leaves a week of room and forgets only what is old") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  REQUIRE(change(*store, term, finish_of(t, {term, 1}, task_state::failed)).verdict ==
          change_verdict::applied);
  auto answer = must(store->maintain(24h * 7, limit));
  CHECK(answer.days_ahead >= 8);
  CHECK(answer.keys_expired == 0);
  CHECK(must(store->find(t.id, limit)));
  CHECK(must(store->attempts(t.id, limit)).size() == 1);
}
