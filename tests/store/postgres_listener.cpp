// Notifications of taskmaster.submit(notify => true), over a real server.
#include "schema/submit_listener.hpp"

#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

/// Counts calls and waits for them.
class ear {
public:
  std::function<void()> hears() {
    return [this] {
      std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    };
  }
  bool heard(int times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return count_ >= times; });
  }
  int count() {
    std::lock_guard lock(mutex_);
    return count_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

constexpr auto listeners = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'the ear'";

void until(postgres_world& world, const std::string& query, const std::string& value) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (world.sql(query) != value) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    std::this_thread::sleep_for(20ms);
  }
}

} // namespace

TEST_CASE("a submit that notifies is heard once it commits, and one that does not is not", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  ear e;
  auto listener = make_postgres_listener(world.url(), "the ear");
  listener->listen(e.hears());
  REQUIRE(e.heard(1)); // listening has begun
  world.sql("SELECT taskmaster.submit('noop')");
  world.sql("BEGIN; SELECT taskmaster.submit('noop', notify => true); ROLLBACK");
  world.sql("SELECT taskmaster.submit('noop', notify => true)");
  REQUIRE(e.heard(2));
  // Many of one transaction come together; how they are split over calls is the server's affair.
  world.sql("SELECT taskmaster.submit('noop', notify => true) FROM generate_series(1, 500)");
  REQUIRE(e.heard(3));
  CHECK(e.count() < 250);
}

TEST_CASE("a listener whose session was ended listens again and says so", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  ear e;
  auto listener = make_postgres_listener(world.url(), "the ear");
  listener->listen(e.hears());
  REQUIRE(e.heard(1));
  world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'the ear'");
  REQUIRE(e.heard(2)); // what came meanwhile was not heard: a scan is due
  world.sql("SELECT taskmaster.submit('noop', notify => true)");
  CHECK(e.heard(3));
}

TEST_CASE("a listener at rest has no connection", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  ear first, second;
  auto listener = make_postgres_listener(world.url(), "the ear");
  CHECK(world.sql(listeners) == "0");
  listener->listen(first.hears());
  REQUIRE(first.heard(1));
  until(world, listeners, "1");
  listener->rest();
  until(world, listeners, "0");
  listener->listen(second.hears());
  CHECK(second.heard(1));
  CHECK(first.count() == 1);
}

TEST_CASE("a listener without a database goes on trying and ends at once", "[postgres]") {
  ear e;
  auto listener = make_postgres_listener("postgresql://127.0.0.1:1/nowhere", "the ear");
  listener->listen(e.hears());
  std::this_thread::sleep_for(300ms);
  listener.reset();
  CHECK(e.count() == 0);
}
