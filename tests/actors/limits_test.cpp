// The rules of limits on the plan: pauses, concurrency, turns, aging. Rates are in rates_test, storms in limits_storm_test.
#include "tests/actors/limits_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("a queue at its limit hands out no more until an outcome is recorded") {
  limits_fixture f;
  f.set("default", [](auto& s) { s.concurrency = 2; });
  for (int i = 0; i < 5; ++i) f.submit();
  f.submit("", "other");
  f.worker(1, 10);
  auto given = f.dispatched();
  CHECK(given.size() == 3); // two, and the other queue's
  CHECK(f.p.running_in("default") == 2);
  const auto first = f.out.begin()->first;
  const auto [session, a] = f.out.at(first);
  f.p.finished(session, plan_fixture::result_of(a));
  CHECK(f.dispatch().empty()); // not recorded yet
  f.record();
  CHECK(f.dispatch().size() == 1);
  CHECK(f.p.audit() == "");
}

TEST_CASE("of one concurrency_key one task runs at a time, unless the queue says otherwise; keys of two queues are two keys") {
  limits_fixture f;
  for (int i = 0; i < 3; ++i) f.submit("a");
  f.submit("b");
  f.submit("a", "other");
  f.worker(1, 10);
  CHECK(f.dispatch().size() == 3);
  f.set("default", [](auto& s) { s.key_concurrency = 2; });
  CHECK(f.dispatch().size() == 1);
  CHECK(f.p.running_in("default", "a") == 2);
  f.set("default", [](auto& s) { s.key_concurrency = 1; }); // what runs runs on
  CHECK(f.p.running_in("default", "a") == 2);
  f.finish(f.out.begin()->first);
  CHECK(f.dispatch().empty());
  CHECK(f.p.audit() == "");
}

TEST_CASE("a paused queue, kind or key hands out nothing, and all of it when it is resumed; the others go on") {
  limits_fixture f;
  f.worker(1, 100, {"k", "other"});
  SECTION("queue") { f.set("default", [](auto& s) { s.paused = true; }); }
  SECTION("kind") { f.set("default", [](auto& s) { s.paused_kinds = {"k"}; }); }
  SECTION("key") { f.set("default", [](auto& s) { s.paused_keys = {"a", "b"}; }); }
  const auto first = f.submit("a"), second = f.submit("b");
  const auto free = f.submit("a", "default2", "other");
  CHECK(f.dispatched() == std::vector<uuid>{free});
  CHECK(f.dispatch().empty());
  f.set("default", [](auto& s) { s = queue_settings{}; s.name = "default"; });
  CHECK(f.dispatched() == std::vector<uuid>{first, second});
  CHECK(f.p.audit() == "");
}

TEST_CASE("a hundred thousand tasks of a key at its limit, of a paused kind, or of a kind that nobody serves hide nothing") {
  limits_fixture f;
  f.p.load_buckets({{"default", "k", 0}, {"default", "unserved", 0}});
  f.worker(1, 5);
  std::string key, kind = "k";
  SECTION("key at its limit") { key = "a"; }
  SECTION("paused key") {
    key = "a";
    f.set("default", [](auto& s) { s.paused_keys = {"a"}; });
  }
  SECTION("kind that nobody serves") { kind = "unserved"; }
  SECTION("paused kind") {
    kind = "paused";
    f.p.load_buckets({{"default", "paused", 0}});
    f.set("default", [](auto& s) { s.paused_kinds = {"paused"}; });
  }
  for (int i = 0; i < 100'000; ++i) f.store(f.row(key, "default", at(-200'000 + i), kind));
  const auto keyed = f.store(f.row("b", "default", at(500))), plain = f.store(f.row("", "default", at(501)));
  std::vector<uuid> given;
  std::size_t most = 0;
  for (int round = 0; round < 20; ++round) {
    f.refill();
    for (const auto& id : f.dispatched()) given.push_back(id);
    most = std::max(most, f.p.count().entries);
  }
  CHECK(std::find(given.begin(), given.end(), keyed) != given.end());
  CHECK(std::find(given.begin(), given.end(), plain) != given.end());
  CHECK(most < 5'000); // memory stays bounded
  CHECK(f.p.audit() == "");
}

TEST_CASE("a key's long line goes on in the order of run_at, window by window, and loses none") {
  plan_options options;
  options.window_rows = 50;
  options.window_low = 12;
  options.line_rows = 8;
  options.line_low = 2;
  limits_fixture f(options);
  f.p.load_buckets({{"default", "k", 0}});
  f.worker(1, 1);
  std::vector<uuid> expected;
  for (int i = 0; i < 1'000; ++i) expected.push_back(f.store(f.row("a", "default", at(-2'000 + i))));
  std::vector<uuid> given;
  while (given.size() < expected.size()) {
    f.refill();
    for (int announced = 0; announced < 1 && expected.size() < 1'100; ++announced) expected.push_back(f.submit("a"));
    const auto now = f.dispatched();
    REQUIRE(now.size() == 1);
    given.push_back(now[0]);
    f.finish(now[0]);
    f.pass(1ms);
  }
  CHECK(given == expected);
  f.refill();
  CHECK(f.p.count().entries == 0);
  CHECK(f.p.audit() == "");
}

TEST_CASE("keys of a queue take turns, and tasks without a key are one of them") {
  limits_fixture f;
  f.set("default", [](auto& s) { s.key_concurrency = 1'000; });
  for (int i = 0; i < 300; ++i) f.submit("big");
  for (int i = 0; i < 300; ++i) f.submit("");
  for (int i = 0; i < 100; ++i) f.submit("small");
  f.worker(1, 0);
  for (int i = 0; i < 10; ++i) {
    f.refill();
    f.p.credit(1, 30);
    f.dispatch();
  }
  CHECK(f.p.running_in("default", "small") == 100);
  CHECK(f.p.running_in("default", "big") == 100);
  CHECK(f.p.running_in("default", "") == 100);
}

TEST_CASE("queues of one priority share by weight; a queue that was idle has saved nothing up") {
  limits_fixture f;
  f.set("heavy", [](auto& s) { s.weight = 3; });
  for (int i = 0; i < 1'000; ++i) f.submit("", "light");
  for (int i = 0; i < 1'000; ++i) f.submit("", "heavy");
  f.worker(1, 400);
  f.dispatch();
  CHECK(f.p.running_in("heavy") == 300);
  CHECK(f.p.running_in("light") == 100);
  for (int i = 0; i < 100; ++i) f.submit("", "late");
  f.p.credit(1, 50);
  f.dispatch();
  CHECK(f.p.running_in("late") == 10);
}

TEST_CASE("higher priorities go first, and yet the lowest is handed out after a minute: every tenth is of the longest due") {
  limits_fixture f;
  f.worker(1, 0);
  const auto low = f.submit("", "default", "k", 0);
  int high = 0;
  std::optional<timestamp> when;
  const auto begin = f.now;
  while (!when) {
    f.pass(100ms);
    f.submit("", "default", "k", 9);
    f.submit("", "default", "k", 9); // more than there is credit for
    f.p.credit(1, 1);
    const auto given = f.dispatched();
    REQUIRE(given.size() == 1);
    if (given[0] == low) when = f.now;
    else ++high;
    REQUIRE(f.now < begin + 120s);
  }
  CHECK(*when - begin >= 60s); // strictly by priority until then
  CHECK(*when - begin <= 60s + 10 * 100ms);
}

TEST_CASE("in the grace after a takeover nothing that is limited starts; then it is known who runs") {
  limits_fixture f;
  f.p.load_settings({[] {
    queue_settings s;
    s.name = "narrow";
    s.concurrency = 1;
    return s;
  }()});
  f.term = 40;
  f.lead(true);
  f.p.load_settings({[] {
    queue_settings s;
    s.name = "narrow";
    s.concurrency = 1;
    return s;
  }()});
  f.pass(10ms);
  f.worker(1, 10);
  // All of these came after the takeover: without limits they start at once.
  f.submit("a");
  f.submit("", "narrow");
  const auto free = f.submit("");
  CHECK(f.dispatched() == std::vector<uuid>{free});
  // The last leader's worker comes back with a task of key a, and one of the narrow queue, which no window has shown yet.
  f.worker(2, 0);
  for (auto [key, queue] : {std::pair{"a", "default"}, std::pair{"", "narrow"}}) {
    auto held = f.row(key, queue, at(0));
    held.created_at = at(0);
    f.rows[held.id] = held;
    const claim c{held.id, 1, 0, fence{39, 7}};
    CHECK(f.p.claimed(2, c, f.now) == plan::claim_verdict::unknown);
    CHECK(f.p.claimed_row(2, c, &held, f.now) != plan::claim_verdict::drop);
    if (f.p.running(held.id).session != 2) CHECK(f.p.claimed(2, c, f.now, true) == plan::claim_verdict::keep);
  }
  f.p.end_grace(f.now);
  CHECK(f.dispatch().empty());
  CHECK(f.p.running_in("default", "a") == 1);
  CHECK(f.p.running_in("narrow") == 1);
  f.p.close_session(2, 0, f.now); // and is lost: its tasks count until that is recorded
  CHECK(f.dispatch().empty());
  f.record();
  CHECK(f.dispatch().size() == 2);
  CHECK(f.p.running_in("default", "a") == 1);
  CHECK(f.p.running_in("narrow") == 1);
  CHECK(f.p.audit() == "");
}

TEST_CASE("a worker that comes back after the grace with a task in whose place another runs has to stop it") {
  limits_fixture f;
  f.worker(1, 1);
  const auto first = f.submit("a"), second = f.submit("a");
  CHECK(f.dispatched() == std::vector<uuid>{first});
  f.worker(2, 0);
  const claim late{second, 1, 0, fence{19, 3}};
  CHECK(f.p.claimed(2, late, f.now) == plan::claim_verdict::drop);
  f.finish(first);
  CHECK(f.p.claimed(2, late, f.now) == plan::claim_verdict::keep);
  CHECK(f.p.running_in("default", "a") == 1);
}
