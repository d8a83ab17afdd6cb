// A dump that was restored on a new server: rows whose transaction numbers lie ahead of it.
#include "tests/store/somebody.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

TEST_CASE("rows of a restored dump are read once by scans after the leader has renewed them", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  const auto term = lead(*store).term;
  for (int i = 0; i < 30; ++i) stored(*store, wanted());
  world.sql("UPDATE taskmaster.tasks SET xid = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8");
  const auto mine = stored(*store, wanted()).id;

  const auto scanned = [&] { // by a pass that begins now
    return must(store->scan(must(store->scan_start(limit)), 1'000, limit)).tasks.size();
  };
  CHECK(scanned() == 30); // each pass, for ever
  CHECK(scanned() == 30);
  CHECK(must(store->renew_transactions(term, 20, limit)) == 20);
  CHECK(must(store->renew_transactions(term, 20, limit)) == 10);
  CHECK(must(store->renew_transactions(term, 20, limit)) == 0);
  CHECK(scanned() == 0);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())") == "0");
  CHECK(world.sql("SELECT attempt FROM taskmaster.tasks WHERE id = '" + mine.str() + "'") == "1"); // the version is the same
  CHECK(store->renew_transactions(term - 1, 20, limit).failure().code == ec::deposed);
}

TEST_CASE("a row of a transaction that is still open is not taken for a restored one", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  const auto term = lead(*store).term;
  somebody open(world.url()), later(world.url());
  REQUIRE(open.does("BEGIN; SELECT taskmaster.submit('noop')"));
  REQUIRE(later.does("SELECT taskmaster.submit('noop')"));
  CHECK(must(store->renew_transactions(term, 20, limit)) == 0);
  REQUIRE(open.does("COMMIT"));
  CHECK(must(store->renew_transactions(term, 20, limit)) == 0);
}
