// Days of history made and dropped, expired rows, batches larger than one statement.
#include "tests/store/somebody.hpp"

#include <algorithm>

using namespace taskmaster;
using namespace taskmaster::test;

TEST_CASE("upkeep makes missing days and drops old ones, attached or left over", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto name = [&](const std::string& shift) {
    return world.sql("SELECT 'task_history_' || to_char((clock_timestamp() AT TIME ZONE 'UTC')::date " +
                     shift + ", 'YYYYMMDD')");
  };
  world.sql("DROP TABLE taskmaster." + name("+ 7"));
  world.sql("DROP TABLE taskmaster." + name("+ 3"));
  auto old = name("- 30"), left_over = name("- 31"), kept = name("- 29");
  for (const auto& day : {old, left_over, kept})
    world.sql("CREATE TABLE taskmaster." + day + " (LIKE taskmaster.task_history INCLUDING ALL)");
  for (const auto& [day, back] : {std::pair{old, 30}, std::pair{kept, 29}})
    world.sql("ALTER TABLE taskmaster.task_history ATTACH PARTITION taskmaster." + day +
              " FOR VALUES FROM (((clock_timestamp() AT TIME ZONE 'UTC')::date - " + std::to_string(back) +
              ")::timestamp AT TIME ZONE 'UTC') TO (((clock_timestamp() AT TIME ZONE 'UTC')::date - " +
              std::to_string(back - 1) + ")::timestamp AT TIME ZONE 'UTC')");
  auto answer = must(store->maintain(24h * 29, limit));
  CHECK(answer.made == 2);
  CHECK(answer.days_ahead == 8);
  CHECK(answer.dropped == 2);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.history_days WHERE name = '" + kept + "'") == "1");
  CHECK(must(store->maintain(24h * 29, limit)).dropped == 0);
}

TEST_CASE("upkeep gives way to who reads an old day, and outcomes go on", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  world.sql("CREATE TABLE taskmaster.task_history_20200101 (LIKE taskmaster.task_history INCLUDING ALL)");
  world.sql("ALTER TABLE taskmaster.task_history ATTACH PARTITION taskmaster.task_history_20200101 FOR "
            "VALUES FROM ('2020-01-01 00:00+00') TO "
            "('2020-01-02 00:00+00')");
  somebody reader(world.url());
  REQUIRE(reader.does("BEGIN; SELECT count(*) FROM taskmaster.task_history"));
  CHECK(must(store->maintain(24h * 30, limit)).dropped == 0);
  CHECK(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
  CHECK(must(store->maintain(24h * 30, limit)).dropped == 0);
  REQUIRE(reader.does("COMMIT"));
  CHECK(must(store->maintain(24h * 30, limit)).dropped == 1);
}

TEST_CASE("upkeep deletes more expired keys and old attempts than one statement takes", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  world.sql("INSERT INTO taskmaster.keys (scope, key, task_id, expires_at) SELECT 'idempotency', i, "
            "gen_random_uuid(), now() - interval '1s' "
            "FROM generate_series(1, 25000) AS i");
  world.sql("INSERT INTO taskmaster.attempts (task_id, attempt, losses, fence_term, fence_sequence, "
            "finished_at, outcome) "
            "SELECT gen_random_uuid(), 1, 0, 1, i, now() - interval '2 days', 'failed' FROM "
            "generate_series(1, 25000) AS i");
  CHECK(must(store->maintain(24h, limit)).keys_expired == 25'000);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.keys") == "0");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.attempts") == "0");
}

TEST_CASE("a large batch is stored in portions and finished in portions", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  std::vector<new_task> batch;
  for (int i = 0; i < 2'500; ++i) batch.push_back(wanted());
  for (int i = 0; i < 12; ++i)
    batch[static_cast<std::size_t>(i) * 100].spec.payload = "\"" + std::string(1'000'000, 'x') + "\"";
  auto answers = must(store->insert(batch, limit));
  std::vector<task_change> changes;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    REQUIRE_FALSE(answers[i].refused);
    changes.push_back(finish_of(answers[i].task, {term, i + 1}));
  }
  auto done = must(store->record(term, changes, limit));
  CHECK(std::all_of(done.answers.begin(), done.answers.end(),
                    [](const auto& a) { return a.verdict == change_verdict::applied; }));
  CHECK(world.sql("SELECT count(*) FROM taskmaster.task_history") == "2500");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "0");
}
