// Keys that other transactions hold, take or leave.
#include "tests/store/somebody.hpp"

#include <atomic>

using namespace taskmaster;
using namespace taskmaster::test;

TEST_CASE("a key that an open transaction holds delays its own row alone", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  somebody other(world.url());
  REQUIRE(other.does("BEGIN; SELECT taskmaster.submit('noop', unique_key => 'held')"));
  std::vector<new_task> batch;
  for (int i = 0; i < 8; ++i) {
    batch.push_back(wanted());
    batch.back().spec.unique_key = i == 5 ? "held" : "free" + std::to_string(i);
  }
  batch.push_back(wanted()); // without a key
  auto answers = must(store->insert(batch, limit));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    INFO(i);
    CHECK(answers[i].refused.has_value() == (i == 5));
    CHECK(must(store->find(batch[i].id, limit)).has_value() == (i != 5));
  }
  CHECK(answers[5].refused->code == ec::unavailable);
  CHECK(answers[5].refused->retry_after);
  REQUIRE(other.does("ROLLBACK"));
  CHECK_FALSE(must(store->insert({batch[5]}, limit))[0].refused);
}

TEST_CASE("a key that ends between looking for it and looking who has it is taken by submit", "[postgres]") {
  postgres_world world;
  const std::string key = GENERATE("unique_key", "idempotency_key");
  auto submit = "SELECT taskmaster.submit('noop', " + key + " => 'k')";
  auto first = world.sql(submit);
  // Whoever inserts a key stops afterwards for as long as somebody wants, once.
  world.sql("CREATE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
            "pg_advisory_xact_lock(1); RETURN NULL; END $$; "
            "CREATE TRIGGER stop_here AFTER INSERT ON taskmaster.keys FOR EACH STATEMENT EXECUTE FUNCTION "
            "stop_here()");
  somebody finishes(world.url()), application(world.url());
  REQUIRE(finishes.does("SELECT pg_advisory_lock(1)"));
  std::string second;
  std::thread submits([&] { second = application.value(submit); });
  until_somebody_waits(world.url());
  CHECK(finishes.does("DELETE FROM taskmaster.keys"));
  CHECK(finishes.does("SELECT pg_advisory_unlock(1)"));
  submits.join();
  CHECK(uuid::parse(second));
  CHECK(second != first);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "2");
}

TEST_CASE("a reopening does not wait for who holds the unique key in an open transaction", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto n = wanted();
  n.spec.unique_key = "u";
  auto t = stored(*store, n);
  REQUIRE(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
  somebody other(world.url());
  REQUIRE(other.does("BEGIN; SELECT taskmaster.submit('noop', unique_key => 'u')"));
  auto refused = store->reopen(term, t.id, limit);
  REQUIRE_FALSE(refused);
  CHECK(refused.failure().code == ec::unavailable);
  CHECK(refused.failure().retry_after);
  REQUIRE(other.does("ROLLBACK"));
  CHECK(must(store->reopen(term, t.id, limit)).attempt == 2);
}

TEST_CASE("batches with the same keys in other order do each other no harm", "[postgres]") {
  postgres_world world;
  std::vector<std::thread> threads;
  std::atomic<int> fresh{0}, repeated{0};
  for (int n = 0; n < 4; ++n)
    threads.emplace_back([&, n] {
      auto store = world.connect();
      std::vector<new_task> batch;
      for (int i = 0; i < 200; ++i) {
        batch.push_back(wanted());
        batch.back().spec.unique_key = "k" + std::to_string(n % 2 ? i : 199 - i);
      }
      // A row that was blocked is asked for again, as a client would.
      while (!batch.empty()) {
        auto answers = store->insert(batch, limit);
        if (!answers) return;
        std::vector<new_task> again;
        for (std::size_t i = 0; i < batch.size(); ++i) {
          if ((*answers)[i].refused)
            again.push_back(batch[i]);
          else
            ++((*answers)[i].repeated ? repeated : fresh);
        }
        batch = std::move(again);
      }
    });
  for (auto& t : threads) t.join();
  CHECK(fresh == 200);
  CHECK(repeated == 600);
}

TEST_CASE("expired idempotency keys are free again, before and after upkeep", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto first = wanted();
  first.spec.idempotency_key = "k";
  first.fingerprint = fingerprint(first.spec);
  stored(*store, first);
  world.sql("UPDATE taskmaster.keys SET expires_at = clock_timestamp() - interval '1 second'");
  auto again = first;
  again.id = wanted().id;
  again.fingerprint = std::string(32, 'x');
  CHECK(stored(*store, again).id == again.id);
  world.sql("UPDATE taskmaster.keys SET expires_at = clock_timestamp() - interval '1 second'");
  CHECK(must(store->maintain(24h, limit)).keys_expired == 1);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.keys") == "0");
}
