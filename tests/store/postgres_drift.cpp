// The schema as the migrations make it, and what doctor says when somebody changed it.
#include "schema/checkup.hpp"
#include "schema/drift.hpp"
#include "schema/postgres_connection.hpp"
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <cstdlib>
#include <fstream>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

catalog catalog_of(const std::string& url) {
  postgres::connection db(url, "drift");
  return must(read_catalog(db, std::chrono::steady_clock::now() + limit));
}

/// What doctor says about it; "" when it is content.
std::string told(const std::string& url) {
  std::string all;
  for (const auto& f : must(check_up(url, limit)))
    if (f.check == "drift" && f.grade != finding::type::good) all += std::string(to_string(f.grade)) + ": " + f.detail + "\n";
  return all;
}

} // namespace

TEST_CASE("the expected catalog is what the migrations make", "[postgres]") {
  const auto is = catalog_of(postgres_server::shared().fresh_database());
  if (const char* path = std::getenv("TASKMASTER_WRITE_CATALOG")) std::ofstream(path) << to_text(is);
  INFO("after a new migration: TASKMASTER_WRITE_CATALOG=schema/expected_catalog.txt build/release/tests/store_tests \"the expected catalog*\", then build again");
  for (const auto& d : differences(expected_catalog(), is)) FAIL_CHECK(d.sentence);
  CHECK(is.size() > 300);
  CHECK(parse_catalog(to_text(is)) == is);
}

TEST_CASE("each change of the schema by hand is told in a sentence, and nothing else", "[postgres]") {
  const auto url = postgres_server::shared().fresh_database();
  REQUIRE(told(url) == "");
  const auto [change, sentence] = GENERATE(table<std::string, std::string>({
      {"DROP INDEX taskmaster.tasks_xid", "bad: the index tasks_xid of tasks is missing\n"},
      {"DROP INDEX taskmaster.tasks_xid; CREATE INDEX tasks_xid ON taskmaster.tasks (xid)",
       "bad: the index tasks_xid of tasks is \"btree (xid)\" and should be \"btree (xid, id)\"\n"},
      {"CREATE INDEX mine ON taskmaster.tasks (created_at DESC) WHERE priority > 3",
       "note: the index mine of tasks is not TaskMaster's: \"btree (created_at desc) where (priority > 3)\"\n"},
      {"ALTER TABLE taskmaster.queues ADD remark text", "bad: the column queues.remark is not TaskMaster's: \"text\"\n"},
      {"ALTER TABLE taskmaster.leader ALTER holder TYPE varchar(64)", "bad: the column leader.holder is \"character varying(64) not null"},
      {"ALTER TABLE taskmaster.tasks ALTER kind DROP NOT NULL", "bad: the column tasks.kind is \"text\" and should be \"text not null\"\n"},
      {"ALTER TABLE taskmaster.tasks RESET (fillfactor)", "bad: the table tasks is \"table, autovacuum"},
      {"DROP TRIGGER tasks_followed ON taskmaster.tasks", "bad: the trigger tasks_followed of tasks is missing\n"},
      {"ALTER TABLE taskmaster.tasks DISABLE TRIGGER tasks_followed", "bad: the trigger tasks_followed of tasks is \"AFTER DELETE"},
      {"DROP TABLE taskmaster.checkpoints", "bad: the table checkpoints is missing\n"},
      {"CREATE TABLE taskmaster.notes (id integer PRIMARY KEY)", "note: the table notes is not TaskMaster's: \"table\"\n"},
      {"CREATE OR REPLACE FUNCTION taskmaster.make_id() RETURNS uuid LANGUAGE sql VOLATILE AS 'select gen_random_uuid()'",
       "bad: the body of the function make_id() is another one\n"},
      {"ALTER FUNCTION taskmaster.make_id() STABLE", "bad: the function make_id() is \"() returns uuid, sql, stable\" and should be \"() returns uuid, sql, volatile\"\n"},
      {"DROP FUNCTION taskmaster.hold_term_v1(bigint)", "bad: the function hold_term_v1(bigint) is missing\n"},
  }));
  INFO(change);
  REQUIRE(refusal(url, change) == "");
  const auto said = told(url);
  INFO(said);
  CHECK(said.starts_with(sentence));
  CHECK(std::count(said.begin(), said.end(), '\n') == 1);
}

TEST_CASE("a new day of the history is no drift", "[postgres]") {
  const auto url = postgres_server::shared().fresh_database();
  sql(url, "SELECT taskmaster.make_partitions_v1(12)");
  CHECK(told(url) == "");
}
