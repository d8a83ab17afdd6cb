// taskmaster.submit(), which applications call inside their own transactions.
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

TEST_CASE("submit in a transaction that rolls back leaves nothing", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  world.sql("BEGIN; SELECT taskmaster.submit('noop', unique_key => 'u', idempotency_key => 'i'); ROLLBACK");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "0");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.keys") == "0");
}

TEST_CASE("submit in a transaction that commits is found by the scan", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto cursor = must(store->scan_start(limit));
  auto id = world.sql("BEGIN; CREATE TABLE orders (task uuid); INSERT INTO orders SELECT "
                      "taskmaster.submit('noop'); COMMIT; SELECT task FROM orders");
  auto page = must(store->scan(cursor, 100, limit));
  REQUIRE(page.tasks.size() == 1);
  CHECK(page.tasks[0].id.str() == id);
}

TEST_CASE("submit makes the task that its arguments say", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto id = uuid::parse(world.sql(
      R"(SELECT taskmaster.submit('shell', '{"command": "true"}', queue => 'mail', delay => '1 day 1 hour', priority => 3,
    timeout => '90 seconds', max_attempts => 7, retry => '{"initial": "1h30m", "factor": 1.5, "max": 7200, "jitter": 0}',
    concurrency_key => 'tenant', labels => '{"a": "b"}', notify => true))"));
  REQUIRE(id);
  CHECK(id->bytes[6] >> 4 == 7);
  CHECK(id->bytes[8] >> 6 == 2);
  auto now = must(store->clock(limit));
  CHECK(id->time() <= now);
  CHECK(id->time() > now - 1h);
  auto r = must(store->find(*id, limit));
  REQUIRE(r);
  const auto& t = r->task;
  CHECK(t.kind == "shell");
  CHECK(t.queue == "mail");
  CHECK(*t.payload == R"({"command": "true"})");
  CHECK(t.run_at == t.created_at + 25h);
  CHECK(t.priority == 3);
  CHECK(t.timeout == 90s);
  CHECK(t.max_attempts == 7);
  CHECK(t.retry == retry_policy{90min, 1.5, 2h, 0});
  CHECK(t.concurrency_key == "tenant");
  CHECK(r->labels == std::map<std::string, std::string>{{"a", "b"}});
  CHECK(must(store->queues(limit)).at(0).name == "mail");
  CHECK(
      world.sql("SELECT payload::jsonb ->> 'command' FROM taskmaster.all_tasks WHERE state = 'scheduled'") ==
      "true");
}

TEST_CASE("submit by default makes what the other doors make", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto id = uuid::parse(world.sql("SELECT taskmaster.submit('noop')"));
  auto plain = stored(*store, wanted());
  REQUIRE(id);
  auto t = must(store->find(*id, limit))->task;
  CHECK(*t.payload == *plain.payload);
  CHECK(t.queue == plain.queue);
  CHECK(t.timeout == plain.timeout);
  CHECK(t.max_attempts == plain.max_attempts);
  CHECK(t.retry == plain.retry);
  CHECK(t.delivery == plain.delivery);
  CHECK(t.run_at == t.created_at);
  auto once = uuid::parse(world.sql("SELECT taskmaster.submit('noop', delivery => 'at_most_once')"));
  CHECK(must(store->find(*once, limit))->task.max_attempts == 1);
}

TEST_CASE("submit answers a key that is taken with the first task", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto first = world.sql("SELECT taskmaster.submit('noop', unique_key => 'u')");
  CHECK(world.sql("SELECT taskmaster.submit('other', unique_key => 'u', idempotency_key => 'free')") ==
        first);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.keys WHERE key = 'free'") == "0");
  auto keyed = world.sql("SELECT taskmaster.submit('noop', idempotency_key => 'i')");
  CHECK(world.sql("SELECT taskmaster.submit('noop', idempotency_key => 'i')") == keyed);
  CHECK(refusal(world.url(), "SELECT taskmaster.submit('other', idempotency_key => 'i')")
            .find("was used with another task") != std::string::npos);
  auto same = wanted();
  same.spec.unique_key = "u";
  CHECK(must(store->insert({same}, limit))[0].task.id.str() == first);
}

TEST_CASE("submit tells each limit in a sentence", "[postgres]") {
  postgres_world world;
  for (auto [arguments, words] : {std::pair{"'Shell'", "kind is 'Shell'"},
                                  {"NULL", "kind is missing"},
                                  {"'k', queue => ''", "queue is ''"},
                                  {"'k', to_jsonb(repeat('x', 1048576))", "the limit is 1048576"},
                                  {"'k', priority => 10", "priority is 10"},
                                  {"'k', run_at => now(), delay => '1s'", "delay cannot stand beside run_at"},
                                  {"'k', run_at => now() + '11 years'", "10 years"},
                                  {"'k', run_at => 'infinity'", "run_at is infinity"},
                                  {"'k', delay => '-1s'", "delay is negative"},
                                  {"'k', timeout => '31 days'", "timeout is 31 days"},
                                  {"'k', expires_at => now() - interval '1s'", "not after the task is due"},
                                  {"'k', delivery => 'twice'", "delivery is 'twice'"},
                                  {"'k', max_attempts => 1001", "1 to 1000"},
                                  {"'k', max_attempts => 3, delivery => 'at_most_once'", "means one attempt"},
                                  {"'k', unique_key => repeat('x', 257)", "the limit is 256"},
                                  {"'k', labels => '[]'", "labels has to be"},
                                  {"'k', labels => '{\"a\": 1}'", "object of texts"},
                                  {"'k', labels => '{\"\": \"\"}'", "1 to 64 bytes"},
                                  {"'k', retry => '{\"inital\": 1}'", "retry knows no 'inital'"},
                                  {"'k', retry => '{\"factor\": 0.5}'", "retry.factor is 0.5"},
                                  {"'k', retry => '{\"jitter\": 2}'", "retry.jitter is 2"},
                                  {"'k', retry => '{\"max\": \"soon\"}'", "no duration"},
                                  {"'k', retry => '{\"factor\": \"2\"}'", "have to be numbers"}}) {
    INFO(arguments);
    CHECK_THAT(refusal(world.url(), std::string("SELECT taskmaster.submit(") + arguments + ")"),
               test::ContainsSubstring(words));
  }
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "0");
}

TEST_CASE("a role that may only use the schema can submit and nothing else", "[postgres]") {
  postgres_world world;
  refusal(world.url(), "CREATE ROLE application");
  world.sql("GRANT USAGE ON SCHEMA taskmaster TO application");
  auto id = world.sql("SET ROLE application; SELECT taskmaster.submit('noop')");
  CHECK(uuid::parse(id));
  CHECK(refusal(world.url(), "SET ROLE application; SELECT * FROM taskmaster.tasks")
            .find("permission denied") != std::string::npos);
  CHECK(refusal(world.url(), "SET ROLE application; SELECT taskmaster.finish_tasks_v1(0, '{}', '{}', '{}', "
                             "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', "
                             "'{}', '{}')")
            .find("permission denied") != std::string::npos);
}
