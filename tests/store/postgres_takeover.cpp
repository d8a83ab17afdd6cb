// Late commits, frozen writers and the list of a term's sessions.
#include "tests/store/somebody.hpp"

#include <algorithm>
#include <atomic>

using namespace taskmaster;
using namespace taskmaster::test;

TEST_CASE("a scan finds a row that was inserted before it and committed after it", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto cursor = must(store->scan_start(limit));
  somebody late(world.url());
  REQUIRE(late.does("BEGIN; SELECT taskmaster.submit('late')"));
  // Rows of younger transactions are committed, met, and met no more, several passes long.
  for (int i = 0; i < 3; ++i) {
    stored(*store, wanted());
    auto page = must(store->scan(cursor, 100, limit));
    REQUIRE_FALSE(page.more);
    cursor = page.next;
    for (const auto& t : page.tasks) CHECK(t.kind != "late");
  }
  REQUIRE(late.does("COMMIT"));
  auto page = must(store->scan(cursor, 100, limit));
  CHECK(std::count_if(page.tasks.begin(), page.tasks.end(), [](const auto& t) { return t.kind == "late"; }) ==
        1);
  CHECK(must(store->scan(page.next, 100, limit)).tasks.empty());
}

TEST_CASE("a takeover waits for a write of the old leader that ends by itself, and then sees it",
          "[postgres]") {
  postgres_world world;
  auto store = world.connect(), standby = world.connect();
  auto old = lead(*store, 0s).term;
  auto t = stored(*store, wanted());
  somebody lane(world.url());
  REQUIRE(lane.does("BEGIN; SELECT taskmaster.finish_tasks_v1(" + std::to_string(old) + ", ARRAY['" +
                    t.id.str() +
                    "'::uuid], '{1}', '{0}', '{succeeded}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{w}', "
                    "'{1}', '{1}', '{NULL}', '{NULL}')"));
  std::atomic<bool> committing{false};
  std::thread commits([&] {
    until_somebody_waits(world.url());
    committing = true;
    lane.does("COMMIT");
  });
  auto lease = must(standby->acquire("c2", "", 1h, limit));
  const bool waited = committing;
  commits.join();
  CHECK(waited);
  REQUIRE(lease);
  CHECK(must(standby->load({t.id}, limit)).empty());
  CHECK(must(standby->find(t.id, limit))->state == task_state::succeeded);
}

TEST_CASE("a takeover ends the sessions of a leader that is frozen in the middle of a write", "[postgres]") {
  postgres_world world;
  auto store = world.connect(), standby = world.connect();
  auto old = lead(*store, 0s).term;
  auto t = stored(*store, wanted());
  // A lane that enlisted, locked its term, changed the task, and then froze before the end of its
  // transaction.
  somebody lane(world.url());
  REQUIRE(lane.does("UPDATE taskmaster.leader SET backend_pids = backend_pids || " + lane.pid()));
  REQUIRE(lane.does("BEGIN; SELECT taskmaster.hold_term_v1(" + std::to_string(old) +
                    "); DELETE FROM taskmaster.tasks"));
  auto lease = must(standby->acquire("c2", "", 1h, limit));
  REQUIRE(lease);
  CHECK(lease->previous_term == old);
  CHECK_FALSE(lane.does("COMMIT"));
  CHECK(must(standby->load({t.id}, limit)).size() == 1);
}

TEST_CASE("a renewal waits for no write of its own leader", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  somebody lane(world.url());
  REQUIRE(lane.does("BEGIN; SELECT taskmaster.hold_term_v1(" + std::to_string(term) + ")"));
  CHECK(must(store->renew(term, 1h, limit)));
  CHECK(must(store->enlist(term, limit)) == done{});
}

TEST_CASE("a lane is on its term's list, also after it had to reconnect", "[postgres]") {
  postgres_world world;
  auto leader = world.connect(), lane = world.connect();
  auto term = lead(*leader).term;
  must(lane->enlist(term, limit));
  must(lane->enlist(term, limit));
  CHECK(world.sql("SELECT cardinality(backend_pids) FROM taskmaster.leader") == "1");
  auto before = world.sql("SELECT backend_pids[1] FROM taskmaster.leader");
  world.sql("SELECT pg_terminate_backend(" + before + ", 10000)");
  must(lane->clock(limit));
  CHECK(world.sql("SELECT cardinality(backend_pids) FROM taskmaster.leader") == "1");
  CHECK(world.sql("SELECT backend_pids[1] FROM taskmaster.leader") != before);
}
