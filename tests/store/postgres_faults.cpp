// What PostgreSQL does to us: open transactions, frozen writers, restarts, late commits, days of history.
#include "schema/migrate.hpp"
#include "schema/postgres_store.hpp"
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <algorithm>
#include <atomic>
#include <libpq-fe.h>
#include <signal.h>
#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

/// A session of somebody else, for transactions that stay open.
class somebody {
public:
  explicit somebody(const std::string& url) : connection_(PQconnectdb(url.c_str()), &PQfinish) {}
  bool does(const std::string& text) {
    std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexec(connection_.get(), text.c_str()), &PQclear);
    auto status = PQresultStatus(r.get());
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
  }
  std::string pid() { return std::to_string(PQbackendPID(connection_.get())); }

private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

} // namespace

TEST_CASE("a scan finds a row that was inserted before it and committed after it", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto cursor = must(store->scan_start(limit));
  somebody late(world.url());
  REQUIRE(late.does("BEGIN; SELECT taskmaster.submit('late')"));
  // Rows of younger transactions are committed, met, and met no more, several passes long.
  for (int i = 0; i < 3; ++i) {
    stored(*store, wanted());
    auto page = must(store->scan(cursor, 100, limit));
    REQUIRE_FALSE(page.more);
    cursor = page.next;
    for (const auto& t : page.tasks)
      CHECK(t.kind != "late");
  }
  REQUIRE(late.does("COMMIT"));
  auto page = must(store->scan(cursor, 100, limit));
  CHECK(std::count_if(page.tasks.begin(), page.tasks.end(), [](const auto& t) { return t.kind == "late"; }) == 1);
  CHECK(must(store->scan(page.next, 100, limit)).tasks.empty());
}

TEST_CASE("a takeover waits for a write of the old leader that ends by itself, and then sees it", "[postgres]") {
  postgres_world world;
  auto store = world.connect(), standby = world.connect();
  auto old = lead(*store, 0s).term;
  auto t = stored(*store, wanted());
  somebody lane(world.url());
  REQUIRE(lane.does("BEGIN; SELECT taskmaster.finish_tasks_v1(" + std::to_string(old) + ", ARRAY['" + t.id.str()
                    + "'::uuid], '{1}', '{0}', '{succeeded}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{w}', '{1}', '{1}', '{NULL}', '{NULL}')"));
  std::thread commits([&] {
    // As soon as the takeover is seen to wait.
    while (world.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == "0")
      std::this_thread::yield();
    lane.does("COMMIT");
  });
  auto lease = must(standby->acquire("c2", "", 1h, limit));
  commits.join();
  REQUIRE(lease);
  CHECK(must(standby->load({t.id}, limit)).empty());
  CHECK(must(standby->find(t.id, limit))->state == task_state::succeeded);
}

TEST_CASE("a takeover ends the sessions of a leader that is frozen in the middle of a write", "[postgres]") {
  postgres_world world;
  auto store = world.connect(), standby = world.connect();
  auto old = lead(*store, 0s).term;
  auto t = stored(*store, wanted());
  // A lane that enlisted, locked its term, changed the task, and then froze before the end of its transaction.
  somebody lane(world.url());
  REQUIRE(lane.does("UPDATE taskmaster.leader SET backend_pids = backend_pids || " + lane.pid()));
  REQUIRE(lane.does("BEGIN; SELECT taskmaster.hold_term_v1(" + std::to_string(old) + "); DELETE FROM taskmaster.tasks"));
  auto lease = must(standby->acquire("c2", "", 1h, limit));
  REQUIRE(lease);
  CHECK(lease->previous_term == old);
  CHECK_FALSE(lane.does("COMMIT"));
  CHECK(must(standby->load({t.id}, limit)).size() == 1);
}

TEST_CASE("a renewal waits for no write of its own leader", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  somebody lane(world.url());
  REQUIRE(lane.does("BEGIN; SELECT taskmaster.hold_term_v1(" + std::to_string(term) + ")"));
  CHECK(must(store->renew(term, 1h, limit)));
  CHECK(must(store->enlist(term, limit)) == done{});
}

TEST_CASE("a lane is on its term's list, also after it had to reconnect", "[postgres]") {
  postgres_world world;
  auto leader = world.connect(), lane = world.connect();
  auto term = lead(*leader).term;
  must(lane->enlist(term, limit));
  must(lane->enlist(term, limit));
  CHECK(world.sql("SELECT cardinality(backend_pids) FROM taskmaster.leader") == "1");
  auto before = world.sql("SELECT backend_pids[1] FROM taskmaster.leader");
  world.sql("SELECT pg_terminate_backend(" + before + ", 10000)");
  must(lane->clock(limit));
  CHECK(world.sql("SELECT cardinality(backend_pids) FROM taskmaster.leader") == "1");
  CHECK(world.sql("SELECT backend_pids[1] FROM taskmaster.leader") != before);
}

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
        if (!answers)
          return;
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
  for (auto& t : threads)
    t.join();
  CHECK(fresh == 200);
  CHECK(repeated == 600);
}

TEST_CASE("without a server each call says unavailable at once, and works again when it is back", "[postgres]") {
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
  auto until = std::chrono::steady_clock::now() + 20s;
  auto found = store->find(t.id, limit);
  while (!found && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(10ms); // past the backoff
    found = store->find(t.id, limit);
  }
  REQUIRE(found);
  CHECK(*found);
  // A connection that went through a restart unnoticed serves its next call.
  server.stop(SIGINT);
  server.start();
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

TEST_CASE("upkeep makes missing days and drops old ones, attached or left over", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto name = [&](const std::string& shift) {
    return world.sql("SELECT 'task_history_' || to_char((clock_timestamp() AT TIME ZONE 'UTC')::date " + shift + ", 'YYYYMMDD')");
  };
  world.sql("DROP TABLE taskmaster." + name("+ 7"));
  world.sql("DROP TABLE taskmaster." + name("+ 3"));
  auto old = name("- 30"), left_over = name("- 31"), kept = name("- 29");
  for (const auto& day : {old, left_over, kept})
    world.sql("CREATE TABLE taskmaster." + day + " (LIKE taskmaster.task_history INCLUDING ALL)");
  for (const auto& [day, back] : {std::pair{old, 30}, std::pair{kept, 29}})
    world.sql("ALTER TABLE taskmaster.task_history ATTACH PARTITION taskmaster." + day + " FOR VALUES FROM (((clock_timestamp() AT TIME ZONE 'UTC')::date - "
              + std::to_string(back) + ")::timestamp AT TIME ZONE 'UTC') TO (((clock_timestamp() AT TIME ZONE 'UTC')::date - " + std::to_string(back - 1)
              + ")::timestamp AT TIME ZONE 'UTC')");
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
  world.sql("ALTER TABLE taskmaster.task_history ATTACH PARTITION taskmaster.task_history_20200101 FOR VALUES FROM ('2020-01-01 00:00+00') TO "
            "('2020-01-02 00:00+00')");
  somebody reader(world.url());
  REQUIRE(reader.does("BEGIN; SELECT count(*) FROM taskmaster.task_history"));
  CHECK(must(store->maintain(24h * 30, limit)).dropped == 0);
  CHECK(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
  CHECK(must(store->maintain(24h * 30, limit)).dropped == 0);
  REQUIRE(reader.does("COMMIT"));
  CHECK(must(store->maintain(24h * 30, limit)).dropped == 1);
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

TEST_CASE("a large batch is stored in portions and finished in portions", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  std::vector<new_task> batch;
  for (int i = 0; i < 2'500; ++i)
    batch.push_back(wanted());
  for (int i = 0; i < 12; ++i)
    batch[static_cast<std::size_t>(i) * 100].spec.payload = "\"" + std::string(1'000'000, 'x') + "\"";
  auto answers = must(store->insert(batch, limit));
  std::vector<task_change> changes;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    REQUIRE_FALSE(answers[i].refused);
    changes.push_back(finish_of(answers[i].task, {term, i + 1}));
  }
  auto done = must(store->record(term, changes, limit));
  CHECK(std::all_of(done.answers.begin(), done.answers.end(), [](const auto& a) { return a.verdict == change_verdict::applied; }));
  CHECK(world.sql("SELECT count(*) FROM taskmaster.task_history") == "2500");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.tasks") == "0");
}
