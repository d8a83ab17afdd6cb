// Token buckets: alone, and as the plan uses them.
#include "tests/actors/limits_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("a token bucket brings exactly its limit, never more than its burst") {
  const rate_limit rate{3, 1s, 5};
  rate_meter m(at(0), true);
  int taken = 0;
  const auto take_all = [&](timestamp t) {
    int n = 0;
    while (m.ready(rate, t)) {
      m.take(rate, t);
      ++n;
    }
    return taken += n, n;
  };
  CHECK(take_all(at(0)) == 5);
  CHECK(m.next(rate, at(0)) == at(0) + 333'334us);
  CHECK(take_all(at(0) + 333'333us) == 0);
  CHECK(take_all(at(0) + 333'334us) == 1);
  for (int i = 1; i <= 3'000; ++i) take_all(at(0) + i * 999'983us / 3); // odd steps over many periods
  const auto span = 3'000 * 999'983us / 3;
  CHECK(taken >= 5 + span / 1s * 3 - 1);
  CHECK(taken <= 5 + span / 1s * 3 + 3);
  CHECK(take_all(at(10'000'000)) == 5);
}

TEST_CASE("a changed rate keeps the tokens that wait, up to the new burst") {
  rate_meter m(at(0), true);
  const rate_limit wide{10, 1s, 10}, narrow{1, 1h, 2};
  REQUIRE(m.ready(wide, at(0)));
  m.change(wide, narrow, at(0));
  m.take(narrow, at(0));
  m.take(narrow, at(0));
  CHECK_FALSE(m.ready(narrow, at(0)));
  m.change(narrow, wide, at(0));
  CHECK_FALSE(m.ready(wide, at(0)));
  CHECK(m.ready(wide, at(100)));
}

TEST_CASE("a queue's rate is kept, and the plan says when it goes on") {
  limits_fixture f;
  f.set("default", [](auto& s) { s.rate = rate_limit{5, 1s, 2}; });
  for (int i = 0; i < 20; ++i) f.submit();
  f.submit("", "other");
  f.worker(1, 100);
  CHECK(f.dispatch().size() == 3); // the burst, and the other queue's
  CHECK(f.p.next_due(f.now) == f.now + 200ms);
  f.pass(199'999us);
  CHECK(f.dispatch().empty());
  f.pass(1us);
  CHECK(f.dispatch().size() == 1);
  std::size_t n = 0;
  for (int i = 0; i < 30; ++i) {
    f.pass(100ms);
    n += f.dispatch().size();
  }
  CHECK(n == 15);
}

TEST_CASE("a key's rate holds that key alone, and wakes it by itself") {
  limits_fixture f;
  f.set("default", [](auto& s) {
    s.key_concurrency = 100;
    s.key_rate = rate_limit{1, 1s, 1};
  });
  for (int i = 0; i < 3; ++i) f.submit("a");
  f.submit("b");
  f.submit("");
  f.submit("");
  f.worker(1, 100);
  CHECK(f.dispatch().size() == 4);
  CHECK(f.p.next_due(f.now) == f.now + 1s);
  f.pass(1s);
  CHECK(f.dispatch().size() == 1);
  // A key that has nothing left is remembered until its bucket is full: it cannot come back with fresh tokens.
  const auto ids = f.out;
  for (const auto& [id, held] : ids) f.finish(id);
  f.pass(500ms);
  f.submit("b");
  CHECK(f.dispatch().size() == 1); // b's bucket is full again
  f.finish(f.out.begin()->first);
  f.submit("b");
  CHECK(f.dispatch().empty());
  f.pass(1s);
  CHECK(f.dispatch().size() == 2);
  CHECK(f.p.audit() == "");
}

TEST_CASE("after a takeover token buckets begin empty") {
  limits_fixture f;
  queue_settings s;
  s.name = "default";
  s.rate = rate_limit{1, 1s, 5};
  s.key_concurrency = 9;
  s.key_rate = rate_limit{1, 1s, 5};
  f.lead(false);
  f.p.load_settings({s});
  f.worker(1, 100);
  f.submit("a");
  f.submit("a");
  CHECK(f.dispatch().empty());
  f.pass(1s);
  CHECK(f.dispatch().size() == 1);
}
