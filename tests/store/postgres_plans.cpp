// How statements find their rows whatever PostgreSQL's statistics say.
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

TEST_CASE("tasks are found by their ids when the planner believes that there are none", "[postgres]") {
  postgres_world world;
  world.sql("INSERT INTO taskmaster.tasks (id, kind, run_at, created_at, payload) "
            "SELECT gen_random_uuid(), 'noop', now(), now(), '' FROM generate_series(1, 5000)");
  task ended, failed, again, lost, marked, keyed;
  std::uint64_t term = 0;
  {
    auto store = world.connect();
    term = lead(*store).term;
    for (auto* t : {&ended, &failed, &again, &lost, &marked, &keyed}) *t = stored(*store, wanted());
  }
  // One more waits for the first to end.
  world.sql("INSERT INTO taskmaster.tasks (id, kind, run_at, created_at, payload, waits_for) "
            "VALUES (gen_random_uuid(), 'noop', 'infinity', now(), '', 1)");
  world.sql("INSERT INTO taskmaster.edges (parent, child, on_finished, otherwise) "
            "SELECT '" + ended.id.str() + "', id, true, 'run' FROM taskmaster.tasks WHERE waits_for > 0");
  world.sql("INSERT INTO taskmaster.follow_ups (parent) VALUES ('" + ended.id.str() + "')");
  // As a vacuum leaves it that runs while these rows are being inserted, or just before.
  world.sql("ANALYZE taskmaster.tasks");
  world.sql("UPDATE pg_class SET reltuples = 0 WHERE oid = 'taskmaster.tasks'::regclass");
  world.sql("SELECT pg_stat_reset()");
  {
    auto store = world.connect();
    CHECK(change(*store, term, mark_of(marked, {term, 1})).verdict == change_verdict::applied);
    CHECK(change(*store, term, finish_of(ended, {term, 2})).verdict == change_verdict::applied);
    CHECK(change(*store, term, finish_of(failed, {term, 3}, task_state::failed)).verdict == change_verdict::applied);
    CHECK(change(*store, term, retry_of(again, {term, 4})).verdict == change_verdict::applied);
    CHECK(change(*store, term, lose_of(lost, {term, 5})).verdict == change_verdict::applied);
    CHECK(must(store->load({lost.id}, limit)).size() == 1);
    must(store->keep_checkpoints(term, {{lost.id, {1, 1}, std::make_shared<const std::string>("half")}}, limit));
    task_change free_key;
    free_key.what = task_change::type::free_key;
    free_key.id = keyed.id;
    free_key.version = {keyed.attempt, keyed.losses};
    CHECK(change(*store, term, free_key).verdict == change_verdict::applied);
    CHECK(must(store->follow_up(term, 100, limit)).released.size() == 1);
  } // a session tells what it has read when it ends
  CHECK(std::stoi(world.sql("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'tasks'")) < 1'000);
}
