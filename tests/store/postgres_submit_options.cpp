// taskmaster.submit() with every option: what it makes is what the other doors make, and it refuses what they refuse.
#include "tests/store/postgres_server.hpp"
#include "tests/store/somebody.hpp"
#include "tests/store/worlds.hpp"

#include <functional>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

std::string webhook_of(const std::string& url) { return "webhook => '" + url + "'"; }

} // namespace

TEST_CASE("submit with keys and promises makes what the other doors make", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  const auto by_sql = [&](const std::string& arguments) {
    const auto id = uuid::parse(world.sql("SELECT taskmaster.submit('noop', " + arguments + ")"));
    REQUIRE(id);
    return must(store->find(*id, limit))->task;
  };
  const auto by_door = [&](const std::function<void(task_spec&)>& change) {
    auto n = wanted();
    change(n.spec);
    return stored(*store, n);
  };
  const auto same = [](const task& a, const task& b) {
    CHECK(options_of(a.options) == options_of(b.options));
    CHECK(a.unique_key.empty() == b.unique_key.empty());
  };
  same(by_sql("heartbeat_timeout => '90 seconds'"), by_door([](task_spec& s) { s.options.heartbeat_timeout = 90s; }));
  same(by_sql("unique_key => 'a', unique_scope => 'while_waiting', unique_policy => 'refuse'"), by_door([](task_spec& s) {
         s.unique_key = "b";
         s.options.scope = unique_scope::while_waiting;
         s.options.policy = unique_policy::refuse;
       }));
  const auto sql = by_sql("unique_key => 'c', unique_scope => 'for_period', unique_period => '1 day'");
  CHECK(sql.unique_key == "c");
  CHECK(options_of(sql.options).unique_period == 24h);
  CHECK(world.sql("SELECT unique_key IS NULL FROM taskmaster.tasks WHERE id = '" + sql.id.str() + "'") == "t");
  CHECK(world.sql("SELECT extract(epoch FROM k.expires_at - t.created_at)::int FROM taskmaster.keys k, taskmaster.tasks t WHERE k.task_id = t.id AND "
                  "k.key = 'c'") == "86400");
  same(by_sql("webhook => 'https://hooks.example.org/x?y=1'"), by_door([](task_spec& s) { s.options.webhook = "https://hooks.example.org/x?y=1"; }));
  same(by_sql("webhook => ''"), by_door([](task_spec&) {}));
  same(by_sql("unique_key => 'd', unique_scope => 'until_finished', unique_policy => 'return_first', heartbeat_timeout => '0'"),
       by_door([](task_spec& s) { s.unique_key = "e"; }));
}

TEST_CASE("submit refuses what the other doors refuse, naming the same field", "[postgres]") {
  struct fault {
    std::string arguments;
    const char* said; // by SQL
    const char* field;
    std::function<void(task_spec&)> change;
  };
  std::vector<fault> faults = {
      {"heartbeat_timeout => '10 ms'", "heartbeat_timeout is", "/heartbeat_timeout", [](task_spec& s) { s.options.heartbeat_timeout = 10ms; }},
      {"heartbeat_timeout => '31 days'", "heartbeat_timeout is", "/heartbeat_timeout", [](task_spec& s) { s.options.heartbeat_timeout = 31 * 24h; }},
      {"heartbeat_timeout => '-1 s'", "heartbeat_timeout is", "/heartbeat_timeout", [](task_spec& s) { s.options.heartbeat_timeout = -1s; }},
      {"unique_scope => 'while_waiting'", "unique_key is missing", "/unique/key", [](task_spec& s) { s.options.scope = unique_scope::while_waiting; }},
      {"unique_policy => 'refuse'", "unique_key is missing", "/unique/key", [](task_spec& s) { s.options.policy = unique_policy::refuse; }},
      {"unique_key => 'k', unique_scope => 'for_period'", "unique_period is missing", "/unique/period",
       [](task_spec& s) { s.unique_key = "k", s.options.scope = unique_scope::for_period; }},
      {"unique_key => 'k', unique_period => '1 h'", "unique_period goes only with", "/unique/period",
       [](task_spec& s) { s.unique_key = "k", s.options.unique_period = 1h; }},
      {"unique_key => 'k', unique_scope => 'for_period', unique_period => '3654 days'", "unique_period is", "/unique/period",
       [](task_spec& s) { s.unique_key = "k", s.options.scope = unique_scope::for_period, s.options.unique_period = 24h * 3654; }},
  };
  for (const auto* url : {"ftp://a", "hooks.example.org", "https://", "http://:80/", "http:///x", "https://a/ b", "https://b\xc3\xa4.org", "https://u:p@a/x"})
    faults.push_back({webhook_of(url), "webhook ", "/webhook", [url](task_spec& s) { s.options.webhook = url; }});
  faults.push_back({webhook_of("https://" + std::string(2'041, 'a')), "webhook is 2049 bytes", "/webhook",
                    [](task_spec& s) { s.options.webhook = "https://" + std::string(2'041, 'a'); }});
  postgres_world world;
  auto store = world.connect();
  for (const auto& f : faults) {
    INFO(f.arguments);
    const auto sql = world.sql("DO $$ BEGIN PERFORM taskmaster.submit('noop', " + f.arguments +
                               "); RAISE EXCEPTION 'taken'; EXCEPTION WHEN OTHERS THEN CREATE TEMP TABLE said AS SELECT SQLERRM AS text; END $$; "
                               "SELECT text FROM said");
    CHECK(sql.find(f.said) == 0);
    auto spec = wanted().spec;
    f.change(spec);
    const auto broken = validate(spec, must(store->clock(limit)));
    REQUIRE(broken);
    CHECK(broken->faults.at(0).field == f.field);
  }
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "0");
}

TEST_CASE("submit with policy refuse fails on a held key, and says that replace is for the other doors", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  const auto first = world.sql("SELECT taskmaster.submit('noop', unique_key => 'u')");
  somebody application(world.url());
  CHECK_FALSE(application.does("SELECT taskmaster.submit('noop', unique_key => 'u', unique_policy => 'refuse')"));
  CHECK_FALSE(application.does("SELECT taskmaster.submit('noop', unique_key => 'u', unique_policy => 'replace')"));
  CHECK(application.value("SELECT taskmaster.submit('noop', unique_key => 'u')") == first);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "1");
  // Before the options: calls by position still mean what they did.
  CHECK(uuid::parse(world.sql("SELECT taskmaster.submit('noop', '1', 'mail')")));
}
