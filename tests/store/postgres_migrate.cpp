// The migrator and the constraints.
#include "schema/migrate.hpp"
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {
std::string insert_with(const std::string& column, const std::string& value) {
  std::string columns = "id, run_at, created_at, kind, payload",
              values = "gen_random_uuid(), now(), now(), 'k', '1'";
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
  CHECK(std::stoi(first.applied.back().substr(0, 4)) == first.version); // numbers may be left out
  CHECK(first.applied.front() == "0001_tables");
  auto second = must(migrate(url, limit));
  CHECK(second.version == first.version);
  CHECK(second.applied.empty());
  // The tests' server has fsync off.
  REQUIRE(first.warnings.size() == 1);
  CHECK(first.warnings[0].find("fsync is off") == 0);
}

TEST_CASE("eight migrators at once apply each file once, and eight more none", "[postgres]") {
  auto url = postgres_server::shared().empty_database();
  auto round = GENERATE(1, 2);
  if (round == 2) must(migrate(url, limit));
  std::vector<expected<migrated>> answers(8);
  std::vector<std::thread> threads;
  for (auto& a : answers) threads.emplace_back([&a, &url] { a = migrate(url, limit); });
  for (auto& t : threads) t.join();
  std::size_t applied = 0;
  for (auto& a : answers) {
    if (!a) FAIL(to_string(a.failure()));
    applied += a->applied.size();
    CHECK(a->version == answers[0]->version);
  }
  CHECK(std::to_string(applied) == (round == 1 ? sql(url, "SELECT count(*) FROM taskmaster.migrations") : "0"));
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
  both("payload", "convert_to(" + text(limits::payload_bytes) + ", 'UTF8')",
       "convert_to(" + text(limits::payload_bytes + 1) + ", 'UTF8')");
  auto labels = [](std::size_t n) {
    return "(SELECT jsonb_object_agg(i, '') FROM generate_series(1, " + std::to_string(n) + ") AS i)";
  };
  both("labels", labels(limits::labels), labels(limits::labels + 1));
  both("retry_factor", "1", "0.9");
  both("retry_jitter", "1", "1.1");
  both("at_most_once, max_attempts", "true, 1", "true, 2");
}

TEST_CASE("the states that history takes are the final ones", "[postgres]") {
  auto url = postgres_server::shared().fresh_database();
  auto insert = [](task_state s) {
    return "INSERT INTO taskmaster.task_history SELECT now(), now(), NULL, now(), NULL, NULL, '0', '0', '0', "
           "1, 0, NULL, NULL, 0, 0, "
           "gen_random_uuid(), 0, 1, 1, 0, 0, 0, false, 'q', 'k', '" +
           std::string(to_string(s)) + "', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1', NULL";
  };
  for (auto s : {task_state::scheduled, task_state::ready, task_state::running, task_state::succeeded,
                 task_state::failed, task_state::cancelled, task_state::expired}) {
    INFO(to_string(s));
    CHECK((refusal(url, insert(s)) == "") == finished(s));
  }
}
