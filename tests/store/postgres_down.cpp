// Servers that are away, crash, hang, or have no schema.
#include "schema/postgres_store.hpp"
#include "tests/store/somebody.hpp"

#include <signal.h>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {
/// A call's answer once the server is back and the backoff over, or the last failure after a long while.
template <class Call>
auto answer_when_back(Call call) {
  const auto late = std::chrono::steady_clock::now() + limit;
  auto answer = call();
  while (!answer && std::chrono::steady_clock::now() < late) {
    std::this_thread::sleep_for(10ms);
    answer = call();
  }
  return answer;
}

} // namespace

TEST_CASE("without a server each call says unavailable at once, and works again when it is back",
          "[postgres]") {
  postgres_server server;
  postgres_options options{server.fresh_database(), "taskmaster test"};
  auto store = make_postgres_store(options);
  auto t = stored(*store, wanted());
  server.stop(SIGINT);
  // The idle connection is seen to be gone before anything is sent: nothing is ambiguous.
  auto refused = store->insert({wanted()}, limit);
  REQUIRE_FALSE(refused);
  CHECK(refused.failure().code == ec::unavailable);
  CHECK(refused.failure().retry_after);
  CHECK_FALSE(store->clock(limit));
  server.start();
  CHECK(must(answer_when_back([&] { return store->find(t.id, limit); })));
  // A connection that went through a restart unnoticed serves its next call.
  server.stop(SIGINT);
  server.start();
  CHECK_FALSE(must(store->insert({wanted()}, limit))[0].refused);
}

TEST_CASE("a server that crashes under a write leaves it ambiguous, and what was answered stays",
          "[postgres]") {
  postgres_server server;
  auto url = server.fresh_database();
  auto store = make_postgres_store({url, "taskmaster test"});
  auto before = stored(*store, wanted());
  somebody other(url);
  REQUIRE(other.does("BEGIN; LOCK TABLE taskmaster.tasks"));
  auto cut = wanted(), after = wanted();
  expected<std::vector<inserted>> answer;
  std::thread writes([&] { answer = store->insert({cut}, limit); });
  until_somebody_waits(url);
  server.stop(SIGQUIT);
  writes.join();
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().code == ec::ambiguous);
  server.start();
  CHECK(must(answer_when_back([&] { return store->find(before.id, limit); })));
  CHECK_FALSE(must(store->find(cut.id, limit)));
  stored(*store, after);
}

TEST_CASE("a write whose session is ended is ambiguous, and the next call has a new session", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  stored(*store, wanted()); // prepares its statement, so that the next one is sent
  somebody other(world.url());
  REQUIRE(other.does("BEGIN; LOCK TABLE taskmaster.tasks"));
  expected<std::vector<inserted>> answer;
  std::thread writes([&] { answer = store->insert({wanted()}, limit); });
  until_somebody_waits(world.url());
  world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
            "wait_event_type = 'Lock'");
  writes.join();
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().code == ec::ambiguous);
  REQUIRE(other.does("ROLLBACK"));
  CHECK_FALSE(must(store->insert({wanted()}, limit))[0].refused);
}

TEST_CASE("a server that answers nothing costs a call its time and no more", "[postgres]") {
  postgres_world world;
  auto store = world.connect(), writer = world.connect();
  auto t = stored(*writer, wanted()); // its INSERT is prepared, so that the next one is sent
  somebody other(world.url());
  REQUIRE(other.does("BEGIN; LOCK TABLE taskmaster.tasks"));
  auto read = store->find(t.id, 50ms);
  REQUIRE_FALSE(read);
  CHECK(read.failure().code == ec::deadline_exceeded);
  auto written = writer->insert({wanted()}, 50ms);
  REQUIRE_FALSE(written);
  CHECK(written.failure().code == ec::ambiguous);
  REQUIRE(other.does("ROLLBACK"));
  CHECK(must(store->find(t.id, limit)));
}

TEST_CASE("a database without the schema is told apart from one that is away", "[postgres]") {
  auto store = make_postgres_store({postgres_server::shared().empty_database(), "taskmaster test"});
  auto answer = store->clock(limit);
  CHECK(answer); // needs no table
  auto leader = store->leader(limit);
  REQUIRE_FALSE(leader);
  CHECK(leader.failure().code == ec::unavailable);
  CHECK(leader.failure().message.find("taskmaster migrate") != std::string::npos);
}
