// The coordinator's own alarms: one for what is due next, however much goes on around it.
#include "actors/alarm_clock.hpp"
#include "tests/actors/cluster_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("an alarm is set only when none that is out rings by then") {
  alarm_clock a;
  constexpr steady_time noon{12h};
  CHECK(a.set(noon));
  CHECK_FALSE(a.set(noon));
  CHECK_FALSE(a.set(noon + 5ms));
  CHECK_FALSE(a.set(noon - 20us)); // as good as the same
  CHECK(a.set(noon - 1ms));
  a.rung(noon - 1ms);
  CHECK_FALSE(a.set(noon + 5ms)); // the first is still to ring
  a.rung(noon);
  CHECK(a.set(noon + 5ms));
  a.rung(noon); // one that nobody knows changes nothing
  CHECK(a.out() == 1);
}

TEST_CASE_METHOD(cluster_fixture, "tasks due a millisecond apart ring once each, whatever the workers say meanwhile") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1'000);
  const auto idle = scheduler.clock().schedule().size();
  for (int i = 1; i <= 50; ++i) {
    auto later = spec();
    later.delay = 10ms + i * 1ms;
    submit(s, later);
  }
  std::size_t most = 0, messages = 0;
  for (int i = 0; i < 650; ++i) {
    messages += advance(100us);
    say(*w, more_credit{1}); // each has the coordinator look what is due
    most = std::max(most, scheduler.clock().schedule().size());
  }
  CHECK(w->assigned().size() == 50);
  CHECK(most <= idle + 3);
  CHECK(messages < 5'000);
}
