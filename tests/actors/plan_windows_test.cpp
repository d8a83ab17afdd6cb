// Windows of rows in the plan: what is pushed out of one, or comes while one is read, is not lost.
#include "tests/actors/plan_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("R8: a row that a retry pushed out of the window is not taken back from an old scan, but from the next refill") {
  plan_options small;
  small.window_rows = 2;
  small.window_low = 2;
  plan_fixture f(false, small);
  f.p.load_buckets({{"default", "k", 0}});
  auto refill = f.p.take_refills(1);
  REQUIRE(refill.size() == 1);
  const auto first = make_row(1, at(100), at(100)), second = make_row(2, at(200), at(100));
  f.p.refilled(refill[0], {{first, second}, true}, f.now);
  f.worker(1, 1);
  const auto given = f.dispatch();
  REQUIRE(given.size() == 1);
  const auto scan = f.p.open_read();
  f.p.finished(1, f.result_of(given[0], run_outcome::failed));
  f.record(); // attempt 2 runs a second later: beyond the mark
  CHECK_FALSE(f.p.knows(first.id));
  f.p.scanned({first}, f.now); // the old row, attempt 1
  CHECK_FALSE(f.p.knows(first.id));
  f.p.close_read(scan);
  refill = f.p.take_refills(1);
  REQUIRE(refill.size() == 1);
  auto retried = first;
  retried.attempt = 2;
  retried.run_at = f.now + 1s;
  f.p.refilled(refill[0], {{retried}, false}, f.now);
  CHECK(f.p.knows(first.id));
}

TEST_CASE("R8: a row that commits while a refill is under way is not lost between its answer and the mark") {
  plan_fixture f;
  plan_options small;
  small.window_rows = 2;
  small.window_low = 2;
  f.p = plan(small);
  f.p.lead({20, 19, at(0), "s"}, false, f.clock);
  f.p.load_buckets({{"default", "k", 0}});
  const auto refill = f.p.take_refills(1);
  const auto late = make_row(5, at(150), at(900)); // not in the refill's snapshot, met by a scan first
  f.p.scanned({late}, f.now);
  f.p.refilled(refill[0], {{make_row(1, at(100), at(1)), make_row(2, at(200), at(1))}, true}, f.now);
  auto again = f.p.take_refills(1);
  REQUIRE(again.size() == 1);
  CHECK(again[0].after < window_mark{late.run_at, late.id});
  f.p.refilled(again[0], {{late, make_row(2, at(200), at(1))}, true}, f.now);
  CHECK(f.p.knows(late.id));
}

TEST_CASE("R8: what a burst pushed out of the window while a refill was under way is below its answer's mark, and comes with the next refill") {
  plan_options small;
  small.window_rows = 2;
  small.window_low = 2;
  small.window_most = 2;
  plan_fixture f(false, small);
  f.p.load_buckets({{"default", "k", 0}});
  auto refill = f.p.take_refills(1);
  f.p.refilled(refill.at(0), {{make_row(9, at(900), at(1))}, true}, f.now); // known up to 900
  refill = f.p.take_refills(1);
  REQUIRE(refill.size() == 1);
  std::vector<task> burst;
  for (int n = 1; n < 9; ++n) burst.push_back(make_row(n, at(100 * n), at(900)));
  for (const auto& row : burst) f.announce(row); // too many: the later half goes
  f.p.refilled(refill[0], {{}, false}, f.now);   // nothing beyond 900
  std::set<uuid> ran;
  f.worker(1, 100);
  for (int rounds = 0; rounds < 10; ++rounds) {
    for (const auto& a : f.dispatch()) ran.insert(a.what.what.task);
    for (const auto& r : f.p.take_refills(1)) {
      window_page page;
      for (const auto& row : burst)
        if (r.after < window_mark{row.run_at, row.id}) page.tasks.push_back(row);
      page.tasks.push_back(make_row(9, at(900), at(1)));
      f.p.refilled(r, page, f.now);
    }
  }
  CHECK(ran.size() == 9);
}
