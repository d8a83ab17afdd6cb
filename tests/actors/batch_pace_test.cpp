// When outcomes go to the database: together where runs end one by one, at once where somebody waits.
#include "tests/actors/cluster_fixture.hpp"
#include "tests/catch.hpp"

using namespace std::chrono_literals;
using namespace taskmaster;
using namespace taskmaster::test;

namespace {

struct paced : cluster_fixture {
  /// Three tasks are with a worker, and the outcomes of two others have just been recorded together.
  void begin(const task_spec& kept = spec()) {
    c = start_coordinator("c0");
    s = start_scheduler(c.actor);
    advance(1s);
    w = connect(c, "w", 5);
    submit(s, spec());
    submit(s, spec());
    for (int n = 0; n < 3; ++n) {
      auto each = kept;
      if (!each.concurrency_key.empty()) each.concurrency_key += std::to_string(n);
      ids.push_back(submit(s, each));
    }
    const auto all = w->assigned();
    REQUIRE(all.size() == 5);
    say(*w, finished_tasks{{result_of(all[0]), result_of(all[1])}});
    REQUIRE(w->acks().size() == 2);
    left.assign(all.begin() + 2, all.end());
  }
  bool recorded(int n) { return stored(ids[n]).state == task_state::succeeded; }
  void end(int n) { say(*w, finished_tasks{{result_of(left[n])}}); }

  test_coordinator c;
  scheduler_actor s;
  std::shared_ptr<hand_worker> w;
  std::vector<uuid> ids;
  std::vector<assignment> left;
};

} // namespace

TEST_CASE_METHOD(paced, "what ends within ten milliseconds of the last outcomes is recorded together, and what ends alone at once") {
  begin();
  end(0);
  advance(5ms);
  end(1);
  CHECK_FALSE(recorded(0));
  CHECK(w->acks().size() == 2);
  advance(5ms);
  CHECK(recorded(0));
  CHECK(recorded(1));
  CHECK(w->acks().size() == 4);
  advance(10ms);
  end(2);
  CHECK(recorded(2));
}

TEST_CASE_METHOD(paced, "after an outcome that was alone nothing waits") {
  begin();
  advance(10ms);
  end(0);
  CHECK(recorded(0));
  end(1);
  CHECK(recorded(1));
}

TEST_CASE_METHOD(paced, "an outcome that a client waits for is recorded at once, and what waits goes with it") {
  begin();
  end(0);
  static_cast<void>(self->request(s, caf::infinite, wait_atom::value, ids[1], caf::timespan(30s)));
  settle();
  end(1);
  CHECK(recorded(0));
  CHECK(recorded(1));
}

TEST_CASE_METHOD(paced, "an outcome that a limit waits for is recorded at once") {
  SECTION("of a concurrency_key") {
    auto keyed = spec();
    keyed.concurrency_key = "k";
    begin(keyed);
  }
  SECTION("of a queue") {
    begin();
    queue_change change;
    change.name = "default";
    change.concurrency = 10;
    REQUIRE(ask<settings_answer>(c.actor, set_queue_atom::value, change));
  }
  end(0);
  CHECK(recorded(0));
}

TEST_CASE_METHOD(paced, "a retry and sixty-four outcomes are recorded at once") {
  begin();
  SECTION("a retry") {
    say(*w, finished_tasks{{result_of(left[0], run_outcome::failed)}});
    CHECK(w->acks().size() == 3);
  }
  SECTION("sixty-four") {
    auto other = connect(c, "other", 63);
    for (int n = 0; n < 63; ++n) submit(s, spec());
    finished_tasks all;
    for (const auto& a : other->assigned()) all.results.push_back(result_of(a));
    REQUIRE(all.results.size() == 63);
    end(0);
    CHECK_FALSE(recorded(0));
    say(*other, all);
    CHECK(recorded(0));
  }
}
