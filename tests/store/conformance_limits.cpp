// Queues' settings, and the windows that keys at their limit ask for.
#include "tests/store/worlds.hpp"

#include <algorithm>

using namespace taskmaster;
using namespace taskmaster::test;

STORE_CASE("a queue's settings come back as they were set, under the leader's term alone") {
  TestType world;
  auto store = world.connect();
  auto lease = must(store->acquire("c", "", 1h, limit));
  queue_settings s;
  s.name = "mail";
  s.paused = true;
  s.concurrency = 7;
  s.rate = rate_limit{5, 250ms, 9};
  s.key_concurrency = 3;
  s.key_rate = rate_limit{1, 24h, 1};
  s.weight = 2.5;
  s.paused_kinds = {"a", "b"};
  s.paused_keys = {"with \"quotes\", commas", "é"};
  must(store->set_queue(lease->term, s, limit));
  CHECK(must(store->settings(limit)) == std::vector<queue_settings>{s});

  queue_settings plain;
  plain.name = "mail";
  must(store->set_queue(lease->term, plain, limit)); // all of it goes back
  stored(*store, wanted("k"));                       // and a queue that nobody set anything on has the defaults
  auto all = must(store->settings(limit));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  queue_settings standard;
  standard.name = "default";
  CHECK(all == std::vector<queue_settings>{standard, plain});

  auto late = store->set_queue(lease->term + 1, s, limit);
  REQUIRE_FALSE(late);
  CHECK(late.failure().code == ec::deposed);
  CHECK(must(store->settings(limit)).size() == 2);
}

STORE_CASE("a window goes past keys by short walks, and keys have windows of their own") {
  TestType world;
  auto store = world.connect();
  auto start = must(store->clock(limit)) + 1h;
  std::vector<new_task> batch;
  std::vector<uuid> plain, of_a, of_b;
  for (int i = 0; i < 60; ++i) {
    auto n = wanted("k");
    n.spec.run_at = start + std::chrono::seconds(i);
    n.spec.concurrency_key = i % 10 == 9 ? "" : i % 10 == 8 ? "b" : "a \"quoted\"";
    (i % 10 == 9 ? plain : i % 10 == 8 ? of_b : of_a).push_back(n.id);
    batch.push_back(n);
  }
  must(store->insert(batch, limit));

  const bucket_key bucket{"default", "k", 0};
  auto mark = window_mark::start();
  std::vector<uuid> seen;
  int pages = 0;
  for (bool more = true; more && pages < 30; ++pages) {
    auto page = must(store->load_window_past(bucket, mark, 2, 1 << 20, {"a \"quoted\"", "b", "nobody"}, 7, limit));
    CHECK(page.tasks.size() <= 2);
    for (const auto& t : page.tasks) seen.push_back(t.id);
    more = page.more;
    if (more) mark = page.walked ? *page.walked : window_mark{page.tasks.back().run_at, page.tasks.back().id};
  }
  CHECK(seen == plain);
  CHECK(pages >= 60 / 7); // seven rows a walk
  CHECK_FALSE(must(store->load_window_past(bucket, window_mark::end(), 2, 1, {"b"}, 7, limit)).more);

  auto windows = must(store->load_key_windows(
      {{bucket, "b", window_mark::start()}, {bucket, "nobody", window_mark::start()}, {bucket, "a \"quoted\"", {start + 40s, {}}}}, 4,
      1 << 20, limit));
  REQUIRE(windows.size() == 3);
  REQUIRE(windows[0].tasks.size() == 4);
  for (int i = 0; i < 4; ++i) CHECK(windows[0].tasks[static_cast<std::size_t>(i)].id == of_b[static_cast<std::size_t>(i)]);
  CHECK(windows[0].more);
  CHECK(windows[1].tasks.empty());
  CHECK_FALSE(windows[1].more);
  REQUIRE(windows[2].tasks.size() == 4);
  CHECK(windows[2].tasks[0].id == of_a[32]);
  auto rest = must(store->load_key_windows({{bucket, "b", {windows[0].tasks[3].run_at, windows[0].tasks[3].id}}}, 4, 1 << 20, limit));
  CHECK(rest[0].tasks.size() == 2);
  CHECK_FALSE(rest[0].more);
}
