// The migrator, the constraints and the SQL that applications call: PostgreSQL alone.
#include "schema/migrate.hpp"
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {
/// "" when the server takes it, else what it says.
std::string refusal(const std::string& url, const std::string& text) {
  try {
    sql(url, text);
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

std::string insert_with(const std::string& column, const std::string& value) {
  std::string columns = "id, run_at, created_at, kind, payload", values = "gen_random_uuid(), now(), now(), 'k', '1'";
  if (column == "kind")
    values = "gen_random_uuid(), now(), now(), " + value + ", '1'";
  else if (column == "payload")
    values = "gen_random_uuid(), now(), now(), 'k', " + value;
  else {
    columns += ", " + column;
    values += ", " + value;
  }
  return "INSERT INTO taskmaster.tasks (" + columns + ") VALUES (" + values + ")";
}
} // namespace

TEST_CASE("a migration brings an empty database up, and the second time changes nothing", "[postgres]") {
  auto url = postgres_server::shared().empty_database();
  auto first = must(migrate(url, limit));
  CHECK(first.version >= 4);
  CHECK(static_cast<int>(first.applied.size()) == first.version);
  CHECK(first.applied.front() == "0001_tables");
  auto second = must(migrate(url, limit));
  CHECK(second.version == first.version);
  CHECK(second.applied.empty());
  // The tests' server has fsync off.
  REQUIRE(first.warnings.size() == 1);
  CHECK(first.warnings[0].find("fsync is off") == 0);
}

TEST_CASE("eight migrators at once apply each file once", "[postgres]") {
  auto url = postgres_server::shared().empty_database();
  std::vector<expected<migrated>> answers(8);
  std::vector<std::thread> threads;
  for (auto& a : answers)
    threads.emplace_back([&a, &url] { a = migrate(url, limit); });
  for (auto& t : threads)
    t.join();
  std::size_t applied = 0;
  for (auto& a : answers) {
    if (!a)
      FAIL(to_string(a.failure()));
    applied += a->applied.size();
    CHECK(a->version == answers[0]->version);
  }
  CHECK(static_cast<int>(applied) == answers[0]->version);
}

TEST_CASE("a database newer than the binary is refused with a sentence", "[postgres]") {
  auto url = postgres_server::shared().fresh_database();
  sql(url, "INSERT INTO taskmaster.migrations (version, name) VALUES (9999, 'of_the_future')");
  auto answer = migrate(url, limit);
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().code == ec::incompatible);
  CHECK(answer.failure().message.find("9999") != std::string::npos);
}

TEST_CASE("a migration that cannot reach the database says so within its time", "[postgres]") {
  auto answer = migrate("postgresql://nobody@/none?host=/nowhere", limit);
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().code == ec::unavailable);
}

TEST_CASE("the constraints of tasks agree with the limits that validate tells", "[postgres]") {
  auto url = postgres_server::shared().fresh_database();
  auto text = [](std::size_t n) { return "repeat('x', " + std::to_string(n) + ")"; };
  auto both = [&](const std::string& column, const std::string& good, const std::string& bad) {
    INFO(column);
    CHECK(refusal(url, insert_with(column, good)) == "");
    CHECK(refusal(url, insert_with(column, bad)).find("violates check constraint") != std::string::npos);
  };
  both("kind", text(limits::name), text(limits::name + 1));
  both("kind", "'a_z.0-9'", "'A'");
  both("queue", text(limits::name), text(limits::name + 1));
  both("queue", "'q'", "''");
  both("priority", std::to_string(limits::priority), std::to_string(limits::priority + 1));
  both("priority", "0", "-1");
  both("max_attempts", std::to_string(limits::attempts), std::to_string(limits::attempts + 1));
  both("max_attempts", "1", "0");
  auto timeout = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limits::timeout).count());
  both("timeout", "make_interval(secs => " + timeout + ")", "make_interval(secs => " + timeout + " + 1)");
  both("unique_key", text(limits::key), text(limits::key + 1));
  both("concurrency_key", text(limits::key), text(limits::key + 1));
  both("payload", "convert_to(" + text(limits::payload_bytes) + ", 'UTF8')", "convert_to(" + text(limits::payload_bytes + 1) + ", 'UTF8')");
  auto labels = [](std::size_t n) { return "(SELECT jsonb_object_agg(i, '') FROM generate_series(1, " + std::to_string(n) + ") AS i)"; };
  both("labels", labels(limits::labels), labels(limits::labels + 1));
  both("retry_factor", "1", "0.9");
  both("retry_jitter", "1", "1.1");
  both("at_most_once, max_attempts", "true, 1", "true, 2");
}

TEST_CASE("the states that history takes are the final ones", "[postgres]") {
  auto url = postgres_server::shared().fresh_database();
  auto insert = [](task_state s) {
    return "INSERT INTO taskmaster.task_history SELECT now(), now(), NULL, now(), NULL, NULL, '0', '0', '0', 1, 0, NULL, NULL, 0, 0, "
           "gen_random_uuid(), 0, 1, 1, 0, 0, 0, false, 'q', 'k', '"
           + std::string(to_string(s)) + "', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1', NULL";
  };
  for (auto s : {task_state::scheduled, task_state::ready, task_state::running, task_state::succeeded, task_state::failed, task_state::cancelled,
                 task_state::expired}) {
    INFO(to_string(s));
    CHECK((refusal(url, insert(s)) == "") == finished(s));
  }
}

TEST_CASE("submit in a transaction that rolls back leaves nothing", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  world.sql("BEGIN; SELECT taskmaster.submit('noop', unique_key => 'u', idempotency_key => 'i'); ROLLBACK");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "0");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.keys") == "0");
}

TEST_CASE("submit makes the task that its arguments say", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto id = uuid::parse(world.sql(R"(SELECT taskmaster.submit('shell', '{"command": "true"}', queue => 'mail', delay => '1 day 1 hour', priority => 3,
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
  CHECK(world.sql("SELECT payload::jsonb ->> 'command' FROM taskmaster.all_tasks WHERE state = 'scheduled'") == "true");
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
  CHECK(world.sql("SELECT taskmaster.submit('other', unique_key => 'u', idempotency_key => 'free')") == first);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.keys WHERE key = 'free'") == "0");
  auto keyed = world.sql("SELECT taskmaster.submit('noop', idempotency_key => 'i')");
  CHECK(world.sql("SELECT taskmaster.submit('noop', idempotency_key => 'i')") == keyed);
  CHECK(refusal(world.url(), "SELECT taskmaster.submit('other', idempotency_key => 'i')").find("was used with another task") != std::string::npos);
  auto same = wanted();
  same.spec.unique_key = "u";
  CHECK(must(store->insert({same}, limit))[0].task.id.str() == first);
}

TEST_CASE("submit tells each limit in a sentence", "[postgres]") {
  postgres_world world;
  for (auto [arguments, words] : {std::pair{"'Shell'", "kind is 'Shell'"}, {"NULL", "kind is missing"}, {"'k', queue => ''", "queue is ''"},
                                  {"'k', to_jsonb(repeat('x', 1048576))", "the limit is 1048576"}, {"'k', priority => 10", "priority is 10"},
                                  {"'k', run_at => now(), delay => '1s'", "delay cannot stand beside run_at"},
                                  {"'k', run_at => now() + '11 years'", "10 years"}, {"'k', run_at => 'infinity'", "run_at is infinity"},
                                  {"'k', delay => '-1s'", "delay is negative"}, {"'k', timeout => '31 days'", "timeout is 31 days"},
                                  {"'k', expires_at => now() - interval '1s'", "not after the task is due"},
                                  {"'k', delivery => 'twice'", "delivery is 'twice'"}, {"'k', max_attempts => 1001", "1 to 1000"},
                                  {"'k', max_attempts => 3, delivery => 'at_most_once'", "means one attempt"},
                                  {"'k', unique_key => repeat('x', 257)", "the limit is 256"}, {"'k', labels => '[]'", "labels has to be"},
                                  {"'k', labels => '{\"a\": 1}'", "object of texts"}, {"'k', labels => '{\"\": \"\"}'", "1 to 64 bytes"},
                                  {"'k', retry => '{\"inital\": 1}'", "retry knows no 'inital'"}, {"'k', retry => '{\"factor\": 0.5}'", "retry.factor is 0.5"},
                                  {"'k', retry => '{\"jitter\": 2}'", "retry.jitter is 2"}, {"'k', retry => '{\"max\": \"soon\"}'", "no duration"},
                                  {"'k', retry => '{\"factor\": \"2\"}'", "have to be numbers"}}) {
    INFO(arguments);
    CHECK_THAT(refusal(world.url(), std::string("SELECT taskmaster.submit(") + arguments + ")"), Catch::Contains(words));
  }
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "0");
}

TEST_CASE("a role that may only use the schema can submit and nothing else", "[postgres]") {
  postgres_world world;
  refusal(world.url(), "CREATE ROLE application");
  world.sql("GRANT USAGE ON SCHEMA taskmaster TO application");
  auto id = world.sql("SET ROLE application; SELECT taskmaster.submit('noop')");
  CHECK(uuid::parse(id));
  CHECK(refusal(world.url(), "SET ROLE application; SELECT * FROM taskmaster.tasks").find("permission denied") != std::string::npos);
  CHECK(refusal(world.url(), "SET ROLE application; SELECT taskmaster.finish_tasks_v1(0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', "
                             "'{}', '{}')")
            .find("permission denied")
        != std::string::npos);
}
