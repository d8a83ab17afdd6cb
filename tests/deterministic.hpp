// A fixture for actors in virtual time: one thread, messages in order, timers only when told. Derive a test fixture from it.
// Code under test reads time from `self->system().clock().now()` alone. Detached actors and foreign threads stay real: leave them out.
#pragma once
#include "tests/catch.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <chrono>
#include <vector>

namespace taskmaster::test {

class deterministic {
public:
  deterministic()
      : system(config_), scheduler(dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())),
        self(system, true) {
    // Zero is "never" to CAF's clock in places; so start somewhere else.
    scheduler.clock().current_time += std::chrono::hours(1);
  }

  /// Ends what was handed to own(): a system with a living actor would wait for ever in its destructor.
  ~deterministic() {
    for (auto& actor : owned_) caf::anon_send_exit(actor, caf::exit_reason::kill);
    owned_.clear();
    settle();
    scheduler.clock().cancel_all();
  }

  deterministic(const deterministic&) = delete;
  deterministic& operator=(const deterministic&) = delete;

  /// Every actor that a test spawns goes through here.
  template <class Handle>
  Handle own(Handle actor) {
    owned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    return actor;
  }

  /// Delivers messages until all mailboxes are empty; fires no timer. Returns how many were delivered.
  std::size_t settle() { return scheduler.run(); }

  /// Lets `span` pass, timer by timer, so that a tick that arms itself anew fires as often as it would in real time.
  std::size_t advance(caf::timespan span) {
    auto& clock = scheduler.clock();
    const auto end = clock.current_time + span;
    auto events = settle();
    while (clock.has_pending_timeout() && clock.schedule().begin()->first <= end) {
      clock.trigger_timeout();
      events += 1 + settle();
    }
    clock.current_time = end;
    return events;
  }

  /// What the actors see as now.
  caf::actor_clock::time_point now() { return scheduler.clock().now(); }

  /// Asks, settles and returns the answer; an error, or no answer yet, fails the test.
  template <class Answer, class Handle, class... Ts>
  Answer ask(const Handle& actor, Ts... arguments) {
    auto request = self->request(actor, caf::infinite, std::move(arguments)...);
    settle();
    REQUIRE(self->has_next_message());
    Answer answer{};
    request.receive([&](Answer& a) { answer = std::move(a); },
                    [&](caf::error& e) { FAIL("the request failed: " << system.render(e)); });
    return answer;
  }

private:
  struct configuration : caf::actor_system_config {
    configuration() { set("scheduler.policy", caf::atom("testing")); }
  };
  configuration config_;

public:
  caf::actor_system system;
  caf::scheduler::test_coordinator& scheduler;
  caf::scoped_actor self;

private:
  std::vector<caf::strong_actor_ptr> owned_;
};

} // namespace taskmaster::test
