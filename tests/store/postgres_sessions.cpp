// Sessions of the database: what a role's settings may not change, what doctor may not leave behind, which servers and poolers a node refuses.
#include "schema/checkup.hpp"
#include "schema/migrate.hpp"
#include "schema/postgres_connection.hpp"
#include "schema/postgres_store.hpp"
#include "tests/store/pooler.hpp"
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <nlohmann/json.hpp>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

/// What a session has set for itself, by name: "name=value" a line.
std::string session_settings(const std::string& url) {
  return sql(url, "SELECT coalesce(string_agg(name || '=' || setting, E'\\n' ORDER BY name), '') FROM pg_settings "
                  "WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding')");
}

std::string doctor_says(const std::string& url) {
  std::string all;
  for (const auto& f : must(check_up(url, limit)))
    if (f.check == "drift" || f.check == "schema" || f.grade == finding::type::bad) all += std::string(to_string(f.grade)) + " " + f.check + ": " + f.detail + "\n";
  return all;
}

/// A life of a task through every kind of statement; in words, so that two lives can be compared.
std::string life(const std::string& url) {
  auto store = make_postgres_store({url, "taskmaster test"});
  auto what = wanted("life");
  what.spec.payload = R"({"n": 1.25, "t": "é"})";
  what.spec.labels = {{"a", "b"}};
  what.spec.timeout = 90min;
  what.spec.idempotency_key = what.id.str();
  what.fingerprint = "print";
  auto t = stored(*store, what);
  const auto begun = must(store->insert({what}, limit)); // the key is known
  std::string words = begun.front().repeated ? "repeated " : "NOT REPEATED ";
  const auto lease = must(store->acquire("someone", "", 1h, limit));
  const auto term = lease ? lease->term : must(store->leader(limit)).term;
  words += std::to_string(static_cast<int>(change(*store, term, retry_of(t, fence{term, 1})).verdict)) + " ";
  t = must(store->find(t.id, limit))->task;
  words += std::to_string(t.attempt) + " " + *t.payload + " " + format_duration(t.timeout) + " ";
  auto finish = finish_of(t, fence{term, 2});
  finish.result = R"({"output":"x"})";
  finish.picked_at = finish.started_at = t.created_at;
  words += std::to_string(static_cast<int>(change(*store, term, finish).verdict)) + " ";
  const auto r = must(store->find(t.id, limit));
  words += r->result + " " + std::string(to_string(r->state)) + (*r->picked_at == t.created_at ? " same instant" : " ANOTHER INSTANT");
  task_filter filter;
  filter.kind = "life";
  filter.labels = {{"a", "b"}};
  words += must(store->list(filter, limit)).tasks.empty() ? " NOT LISTED" : " listed";
  must(store->maintain(24h * 30, limit));
  return words;
}

} // namespace

TEST_CASE("no setting of a role or database changes what our statements do or what doctor says", "[postgres]") {
  auto& server = postgres_server::shared();
  const auto url = server.fresh_database();
  const auto database = sql(url, "SELECT current_database()");
  const auto good_life = life(url), good_word = doctor_says(url);
  REQUIRE(good_life == "repeated 0 2 {\"n\": 1.25, \"t\": \"é\"} 1h30m 0 {\"output\":\"x\"} succeeded same instant listed");
  // Every setting that a user may have for himself, at another value than its own: the other of two, another word, the least number (for
  // time limits see the next case). Left out is what a session cannot begin with, what costs a test its memory or its log, and
  // default_transaction_read_only, by which an administrator stops whoever writes.
  const auto settings = nlohmann::json::parse(sql(url, R"(
    SELECT json_agg(json_build_array(name, other)) FROM (
      SELECT name, CASE vartype WHEN 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
                                WHEN 'enum' THEN (SELECT v FROM unnest(enumvals) AS v WHERE v <> setting LIMIT 1)
                                WHEN 'integer' THEN CASE WHEN unit IN ('ms', 's') THEN '30000' ELSE min_val END
                                WHEN 'real' THEN min_val
                                WHEN 'string' THEN CASE name WHEN 'TimeZone' THEN 'Asia/Kathmandu' WHEN 'DateStyle' THEN 'German, DMY'
                                                             WHEN 'search_path' THEN 'pg_temp' WHEN 'lc_messages' THEN 'C' END END AS other
        FROM pg_settings
       WHERE context IN ('user', 'superuser') AND name !~ '^(client_min_messages|log_|debug_|trace_|client_encoding|session_authorization|role$|max_stack_depth|temp_file_limit|seed|default_transaction_read_only|transaction_(isolation|read_only|deferrable)|zero_damaged|ignore_|allow_|jit_|wal_|backtrace|post_auth|commit_delay|local_preload|session_preload|lc_(monetary|numeric|time)|default_tablespace|temp_tablespaces|in_hot|is_super|compute_query_id|restrict_nonsystem|event_triggers)'
    ) AS s WHERE other IS NOT NULL)"));
  CHECK(settings.size() > 80);
  for (const auto& setting : settings) {
    const auto name = setting[0].get<std::string>(), value = setting[1].get<std::string>();
    INFO(name << " = " << value);
    if (refusal(url, "ALTER DATABASE " + database + " SET " + name + " = '" + value + "'") != "") {
      WARN(name << " cannot be set to " << value);
      continue;
    }
    // A session of psql's kind would be ended by some of these, so it is taken back by another database's session.
    const auto back = "ALTER DATABASE " + database + " RESET " + name;
    CHECK(life(url) == good_life);
    CHECK(doctor_says(url) == good_word);
    sql(server.url("postgres"), back);
  }
}

TEST_CASE("no time limit of a role ends our statements or sessions: each has a deadline of ours", "[postgres]") {
  const auto url = postgres_server::shared().fresh_database();
  postgres::connection db(url, "taskmaster test");
  // These three end nothing that would have gone on.
  const auto left = must(db.run_text("SELECT coalesce(string_agg(name, ' '), '') FROM pg_settings WHERE name ~ '_timeout$' AND context IN ('user', 'superuser') "
                                     "AND name NOT IN ('deadlock_timeout', 'tcp_user_timeout', 'wal_sender_timeout') AND source <> 'session'",
                                     {}, std::chrono::steady_clock::now() + limit, postgres::effect::read));
  CHECK(left.text(0, 0) == "");
}

TEST_CASE("doctor leaves nothing behind in a session that it shares", "[postgres]") {
  REQUIRE(pooler::installed()); // package pgbouncer, which cluster/install-deps.sh --test installs
  const auto url = postgres_server::shared().fresh_database();
  const pooler shared(url, "transaction");
  const auto before = session_settings(shared.url());
  CHECK(doctor_says(shared.url()) == doctor_says(url));
  CHECK(session_settings(shared.url()) == before);
  CHECK(sql(shared.url(), "SELECT count(*) FROM pg_prepared_statements") == "0");
  CHECK(sql(shared.url(), "CREATE TABLE written (n integer); INSERT INTO written VALUES (1) RETURNING n") == "1");
}

TEST_CASE("a node refuses a pooler that shares sessions, and takes one that does not", "[postgres]") {
  REQUIRE(pooler::installed()); // package pgbouncer, which cluster/install-deps.sh --test installs
  const auto url = postgres_server::shared().fresh_database();
  for (const auto* mode : {"transaction", "statement"})
    for (const int sessions : {1, 5}) {
      INFO(mode << " with " << sessions);
      const pooler p(url, mode, sessions);
      const auto answer = migrate(p.url(), limit);
      REQUIRE_FALSE(answer);
      CHECK(answer.failure().code == ec::incompatible);
      CHECK(answer.failure().message.find("pool_mode = session") != std::string::npos);
      CHECK(session_settings(p.url()) == "");
    }
  const pooler p(url, "session", 5);
  const auto answer = migrate(p.url(), limit);
  CHECK(answer);
}

TEST_CASE("a fault that waiting cannot heal is told apart from an outage, with what to do", "[postgres]") {
  auto& server = postgres_server::shared();
  const auto url = server.empty_database();
  const auto database = sql(url, "SELECT current_database()");
  const auto as = [&](const std::string& user, std::string at) { return at.replace(at.find("postgres@"), 9, user + "@"); };
  const auto faults = [&](const std::string& at) {
    const auto answer = migrate(at, limit);
    if (answer) return std::string("none");
    return std::string(to_string(answer.failure().code)) + ": " + answer.failure().message;
  };
  sql(url, "DO $$ BEGIN CREATE ROLE guest LOGIN; CREATE ROLE tenant LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");

  CHECK(faults("postgresql://host:port:port/x").starts_with("incompatible: the database's URI cannot be read"));
  CHECK(faults("postgresql://host/x?sslmode=maybe").starts_with("incompatible: the database's URI cannot be read"));
  CHECK(faults("nothing at all").starts_with("incompatible: the database's URI cannot be read"));
  CHECK(faults(server.url("nowhere")).starts_with("incompatible: there is no such database"));
  CHECK(faults(as("nobody_here", url)).starts_with("incompatible: the database refuses the login"));
  CHECK(faults(as("guest", url)).find("the database role lacks a right") != std::string::npos);
  CHECK(faults(url + "&options=-cno_such_setting%3D1").starts_with("incompatible: the server does not accept a setting"));

  // Who owns the schema needs no right to make others.
  sql(url, "CREATE SCHEMA taskmaster AUTHORIZATION tenant");
  CHECK(faults(as("tenant", url)) == "none");
  CHECK(faults(as("guest", url)).find("the database role lacks a right") != std::string::npos);

  sql(url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  CHECK(faults(server.url("latin")).starts_with("incompatible: the database has the encoding LATIN1"));
  CHECK(sql(server.url("latin"), "SELECT count(*) FROM pg_namespace WHERE nspname = 'taskmaster'") == "0");

  sql(server.url("postgres"), "ALTER DATABASE " + database + " CONNECTION LIMIT 0");
  CHECK(faults(as("tenant", url)) == "unavailable: the database cannot be reached");
  sql(server.url("postgres"), "ALTER DATABASE " + database + " CONNECTION LIMIT -1");
  const auto away = migrate("postgresql://postgres@/x?host=/nowhere/at/all", limit);
  REQUIRE_FALSE(away);
  CHECK(away.failure().code == ec::unavailable);
}

TEST_CASE("what is said of the database to clients names no host, user or password", "[postgres]") {
  auto& server = postgres_server::shared();
  const auto url = server.fresh_database();
  const auto told = [](const error& e) { return e.message; };
  for (const auto& at : {std::string("postgresql://secret_user:secret_word@/x?host=/secret/host"), std::string("postgresql://secret_user:secret_word@127.0.0.1:1/x"),
                         server.url("secret_database"), std::string(url).replace(url.find("postgres@"), 9, "secret_user@")}) {
    auto store = make_postgres_store({at, "taskmaster test"});
    const auto answer = store->clock(limit);
    REQUIRE_FALSE(answer);
    INFO(told(answer.failure()));
    CHECK(told(answer.failure()).find("secret") == std::string::npos);
    CHECK(told(answer.failure()).find("127.0.0.1") == std::string::npos);
    CHECK(told(answer.failure()).find('/') == std::string::npos);
    CHECK(to_string(answer.failure()).size() > told(answer.failure()).size()); // the log has it
    const auto again = store->clock(limit);                                  // while it backs off
    CHECK(told(again.failure()).find("secret") == std::string::npos);
  }
}
