// Tasks that come by SQL: heard of at once, found by the scan in any case. Virtual time.
#include "tests/actors/cluster_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

struct fake_listener final : submit_listener {
  void listen(std::function<void()> heard) override { hears = std::move(heard); }
  void rest() override { hears = nullptr; }
  std::function<void()> hears;
};

struct listening_cluster : cluster_fixture {
  std::shared_ptr<fake_listener> bell = std::make_shared<fake_listener>();
  listening_cluster() { config.submits = bell; }
  ~listening_cluster() { bell->rest(); }
  /// As taskmaster.submit() does: the row, and nobody is told.
  void store_row() {
    const auto answer = store->insert({{uuid::make(wall()), spec(), ""}}, 1s);
    REQUIRE(answer);
  }
  void ring() {
    bell->hears();
    settle();
  }
};

} // namespace

TEST_CASE("a task by SQL that nobody was told of starts with the next scan, a notified one at once", "[listen]") {
  listening_cluster c;
  auto one = c.start_coordinator("one");
  c.advance(2500ms); // between two scans
  REQUIRE(c.bell->hears);
  auto worker = c.connect(one, "w", 10);
  c.store_row();
  c.settle();
  CHECK(worker->assigned().empty());
  c.ring();
  CHECK(worker->assigned().size() == 1);
  c.store_row();
  c.advance_beating({worker}, 1100ms);
  CHECK(worker->assigned().size() == 2);
}

TEST_CASE("a notification during a scan leads to one more, and many share few", "[listen]") {
  listening_cluster c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  auto worker = c.connect(one, "w", 100);
  one.reads->hold = true;
  c.ring(); // its scan has read, and its answer is held
  c.store_row();
  c.ring();
  c.settle();
  one.reads->release();
  c.settle();
  CHECK(worker->assigned().empty()); // that scan began before the commit
  c.advance(60ms);
  CHECK(worker->assigned().size() == 1);
  one.reads->hold = true;
  c.advance(20ms);
  for (int i = 0; i < 50; ++i) c.ring();
  CHECK(one.reads->held.size() == 1);
  one.reads->release();
  c.settle();
}

TEST_CASE("only the leader listens", "[listen]") {
  listening_cluster c;
  auto one = c.start_coordinator("one");
  c.advance(2s);
  REQUIRE(c.bell->hears);
  one.lease->hold = true; // no renewal is answered
  c.advance(3s);
  CHECK_FALSE(c.bell->hears);
  one.lease->release();
  c.settle();
}
