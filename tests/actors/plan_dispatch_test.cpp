#include "tests/actors/plan_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("nothing is handed out before its time, beyond the credit, or to a worker that does not take it") {
  plan_fixture f;
  f.worker(1, 2);
  f.worker(2, 5, {"other"}, "j");
  for (int i = 0; i < 5; ++i) f.announce(make_row(i, at(900 + i), at(900)));
  f.announce(make_row(9, at(2'000), at(900), "other"));
  CHECK(f.dispatch().size() == 2);
  CHECK(f.dispatch().empty());
  CHECK(f.p.next_due(f.now) == at(2'000));
  f.p.credit(1, 1);
  CHECK(f.dispatch().size() == 1);
  f.now = at(1'999);
  CHECK(f.dispatch().empty());
  f.now = at(2'000);
  CHECK(f.dispatch().size() == 1);
}

TEST_CASE("higher priority goes first, then the earlier run_at, across queues and kinds") {
  plan_fixture f;
  f.announce(make_row(1, at(100), at(50), "a", 0));
  f.announce(make_row(2, at(300), at(50), "b", 9));
  f.announce(make_row(3, at(200), at(50), "b", 0));
  f.announce(make_row(4, at(400), at(50), "a", 9));
  f.worker(1, 0, {"a", "b"});
  std::vector<int> order;
  for (int i = 0; i < 4; ++i) {
    f.p.credit(1, 1);
    const auto given = f.dispatch();
    REQUIRE(given.size() == 1);
    order.push_back(given[0].what.what.task.bytes[15]);
  }
  CHECK(order == std::vector<int>{2, 4, 1, 3});
}

TEST_CASE("a kind that nobody serves hides nothing behind it") {
  plan_fixture f;
  for (int i = 0; i < 500; ++i) f.announce(make_row(i, at(100), at(50), "unserved", 9));
  f.announce(make_row(1'000, at(900), at(50), "k"));
  f.worker(1, 1);
  CHECK(f.dispatch().size() == 1);
}

TEST_CASE("tasks spread over the workers that have credit") {
  plan_fixture f;
  for (int i = 0; i < 30; ++i) f.announce(make_row(i, at(100), at(50)));
  for (session_id w = 1; w <= 3; ++w) f.worker(w, 10, {"k"}, "i" + std::to_string(w));
  f.dispatch();
  for (const auto& [id, s] : f.p.sessions()) CHECK(s.tasks.size() == 10);
}

TEST_CASE("ten thousand waiting tasks are held in a window that refills in order and loses none") {
  plan_options options;
  options.window_rows = 100;
  options.window_low = 25;
  plan_fixture f(false, options);
  std::vector<task> rows;
  for (int i = 0; i < 10'000; ++i) rows.push_back(make_row(i, at(i % 977), at(-100)));
  std::sort(rows.begin(), rows.end(), [](const task& a, const task& b) { return std::pair(a.run_at, a.id) < std::pair(b.run_at, b.id); });
  f.p.load_buckets({{"default", "k", 0}});
  f.worker(1, 0);
  std::size_t next = 0, most = 0;
  std::vector<uuid> order;
  while (order.size() < rows.size()) {
    for (const auto& refill : f.p.take_refills(4)) {
      window_page page;
      while (next < rows.size() && page.tasks.size() < options.window_rows) page.tasks.push_back(rows[next++]);
      page.more = next < rows.size();
      f.p.refilled(refill, std::move(page), f.now);
    }
    most = std::max(most, f.p.count().entries);
    f.p.credit(1, 10);
    const auto given = f.dispatch();
    REQUIRE(!given.empty());
    for (const auto& a : given) {
      order.push_back(a.what.what.task);
      f.p.finished(1, f.result_of(a));
    }
    f.record();
  }
  CHECK(most <= 125 + 10);
  for (std::size_t i = 0; i < rows.size(); ++i) REQUIRE(order[i] == rows[i].id);
}

TEST_CASE("a burst of announces trims the window and a refill brings the tail back") {
  plan_options options;
  options.window_rows = 10;
  options.window_low = 3;
  plan_fixture f(false, options);
  for (int i = 0; i < 200; ++i) f.announce(make_row(i, at(100 + i), at(50)));
  CHECK(f.p.count().entries <= 41);
  f.worker(1, 1'000);
  f.dispatch();
  for (int round = 0; round < 30; ++round) {
    for (const auto& refill : f.p.take_refills(1)) {
      window_page page;
      for (int i = 0; i < 200 && page.tasks.size() < 10; ++i) {
        const auto row = make_row(i, at(100 + i), at(50));
        if (window_mark{row.run_at, row.id} > refill.after) page.tasks.push_back(row);
      }
      page.more = page.tasks.size() == 10;
      f.p.refilled(refill, std::move(page), f.now);
    }
    f.dispatch();
  }
  CHECK(f.p.sessions().at(1).tasks.size() == 200);
}

TEST_CASE("a task that nobody starts by expires_at ends expired") {
  plan_fixture f;
  auto row = make_row(1, at(500), at(500));
  row.expires_at = at(1'500);
  f.announce(row);
  CHECK(f.p.next_due(f.now) == at(1'500));
  f.now = at(1'500);
  f.worker(1, 1);
  CHECK(f.dispatch().empty());
  CHECK(f.record().changes.at(0).state == task_state::expired);
}

TEST_CASE("deferring burns no attempt, at most a hundred times in a row") {
  plan_fixture f;
  auto row = make_row(1, at(500), at(500));
  row.max_attempts = 1;
  f.announce(row);
  f.worker(1, 0);
  int deferred = 0;
  while (true) {
    f.p.credit(1, 1);
    const auto given = f.dispatch();
    REQUIRE(given.size() == 1);
    f.p.finished(1, f.result_of(given[0], run_outcome::deferred));
    const auto change = f.record().changes.at(0);
    if (change.what == task_change::type::finish) break;
    ++deferred;
    REQUIRE_FALSE(change.burned);
    f.pass(2s);
  }
  CHECK(deferred == 100);
}

TEST_CASE("what a draining worker hands back unstarted goes elsewhere at once; what it interrupted burns no attempt") {
  plan_fixture f;
  f.worker(1, 2);
  f.announce(make_row(1, at(500), at(500)));
  f.announce(make_row(2, at(501), at(500)));
  const auto given = f.dispatch();
  f.p.started(1, given[1].what.what.task, given[1].what.what.fence, f.now);
  f.p.drain(1);
  CHECK(f.p.finished(1, f.result_of(given[0], run_outcome::returned)) == plan::result_verdict::stale);
  f.p.finished(1, f.result_of(given[1], run_outcome::returned));
  const auto change = f.record().changes.at(0);
  CHECK(change.what == task_change::type::retry);
  CHECK_FALSE(change.burned);
  f.worker(2, 2, {"k"}, "j");
  CHECK(f.dispatch().size() == 2);
}

TEST_CASE("R16: an at_most_once task that a draining worker hands back unstarted goes elsewhere, marked anew") {
  plan_fixture f;
  f.worker(1, 1);
  auto row = make_row(1, at(500), at(500));
  row.delivery = delivery_mode::at_most_once;
  row.max_attempts = 1;
  f.announce(row);
  REQUIRE(f.dispatch().empty());
  const auto marked = f.record();
  REQUIRE(marked.marked.size() == 1);
  const auto given = marked.marked[0].tasks.at(0);
  f.p.drain(1);
  SECTION("never begun") {
    CHECK(f.p.finished(1, f.result_of(given, run_outcome::returned)) == plan::result_verdict::settling);
    const auto change = f.record().changes.at(0);
    CHECK(change.what == task_change::type::retry);
    CHECK_FALSE(change.burned);
    f.worker(2, 1, {"k"}, "j");
    REQUIRE(f.dispatch().empty());
    const auto again = f.record();
    REQUIRE(again.changes.at(0).what == task_change::type::mark);
    REQUIRE(again.marked.size() == 1);
    CHECK(again.marked[0].session == 2);
    CHECK(again.marked[0].tasks.at(0).what.what.attempt == 2);
  }
  SECTION("begun all the same: it is lost") {
    f.p.started(1, given.what.what.task, given.what.what.fence, f.now);
    f.p.finished(1, f.result_of(given, run_outcome::returned));
    const auto done = f.record();
    CHECK(done.changes.at(0).reason == "lost");
    CHECK(done.settled.at(0).stale); // lost is what was recorded, not what the worker said
  }
}
