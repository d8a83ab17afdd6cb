// Events from the leader through a scheduler's feed: exactly one per transition, resumed, through takeovers. Virtual time, real actors.
#include "tests/actors/cluster_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

struct events_fixture : cluster_fixture {
  /// A client's stream: what it has heard so far as "succeeded", "gap", ….
  struct stream {
    scheduler_actor at;
    event_filter filter = {};
    std::optional<event_id> after = {};
    std::vector<event_id> ids = {};
  };

  stream open(const scheduler_actor& s, event_filter filter = {}, std::optional<event_id> after = {}) {
    stream out{s, std::move(filter), after};
    if (after) return out;
    while (!out.after) hear(out); // the feed asks the leader first
    return out;
  }

  std::string hear(stream& s) {
    std::string out;
    for (;;) {
      auto page = ask<events_answer>(s.at, events_atom::value, event_request{s.after, s.filter, 1'000}, caf::timespan(0));
      REQUIRE(page);
      if (page->gap && s.after) out += out.empty() ? "gap" : ", gap";
      for (const auto& e : page->events) {
        out += (out.empty() ? "" : ", ") + std::string(to_string(e.state));
        s.ids.push_back(e.id);
      }
      if (page->next != event_id{}) s.after = page->next;
      if (page->events.empty()) return out;
    }
  }
};

} // namespace

TEST_CASE_METHOD(events_fixture, "a stream hears each step of a task once") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto all = open(s);
  auto w = connect(c, "w", 1);
  auto what = spec();
  what.delay = 500ms;
  submit(s, what);
  CHECK(hear(all) == "scheduled");
  advance_beating({w}, 600ms);
  CHECK(hear(all) == "ready, running");
  say(*w, finished_tasks{{result_of(w->assigned().at(0), run_outcome::failed)}});
  CHECK(hear(all) == "scheduled");
  say(*w, more_credit{1});
  advance_beating({w}, 2s);
  CHECK(hear(all) == "ready, running");
  say(*w, finished_tasks{{result_of(w->assigned().at(1))}});
  CHECK(hear(all) == "succeeded");
  advance_beating({w}, 5s); // scans meet nothing new
  CHECK(hear(all).empty());
  for (std::size_t i = 1; i < all.ids.size(); ++i) CHECK(all.ids[i].sequence == all.ids[i - 1].sequence + 1);
}

TEST_CASE_METHOD(events_fixture, "an outcome is no event before its commit") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto all = open(s);
  auto w = connect(c, "w", 1);
  submit(s, spec());
  CHECK(hear(all) == "ready, running");
  c.writes->hold = true;
  say(*w, finished_tasks{{result_of(w->assigned().at(0))}});
  CHECK(hear(all).empty());
  c.writes->release();
  settle();
  CHECK(hear(all) == "succeeded");
}

TEST_CASE_METHOD(events_fixture, "a stream waits for what it wants, and is answered at its time when nothing comes") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto all = open(s);
  auto w = connect(c, "w", 1);
  event_filter ends;
  ends.states = {task_state::succeeded};
  auto pending = self->request(s, caf::infinite, events_atom::value, event_request{all.after, ends, 10}, caf::timespan(15s));
  advance_beating({w}, 10s);
  CHECK_FALSE(self->has_next_message());
  submit(s, spec());
  settle();
  CHECK_FALSE(self->has_next_message());
  say(*w, finished_tasks{{result_of(w->assigned().at(0))}});
  REQUIRE(self->has_next_message());
  pending.receive([](events_answer& page) { CHECK(page->events.size() == 1); }, [](caf::error&) { FAIL(); });
  hear(all);
  auto quiet = self->request(s, caf::infinite, events_atom::value, event_request{all.after, ends, 10}, caf::timespan(15s));
  advance_beating({w}, 14s);
  CHECK_FALSE(self->has_next_message());
  advance_beating({w}, 2s);
  REQUIRE(self->has_next_message());
  quiet.receive([](events_answer& page) { CHECK(page->events.empty()); }, [](caf::error&) { FAIL(); });
}

TEST_CASE_METHOD(events_fixture, "another scheduler resumes where the first one's stream was cut") {
  auto c = start_coordinator("c0");
  auto s0 = start_scheduler(c.actor), s1 = start_scheduler(c.actor);
  advance(1s);
  auto all = open(s0);
  submit(s0, spec());
  CHECK(hear(all) == "ready");
  submit(s0, spec());
  submit(s1, spec());
  auto resumed = open(s1, {}, all.after);
  hear(resumed); // its feed has not begun yet
  CHECK(hear(resumed) == "ready, ready");
  // And an id that the other scheduler's copy has not reached yet is no gap.
  auto pending = self->request(s0, caf::infinite, events_atom::value, event_request{resumed.after, {}, 10}, caf::timespan(10s));
  submit(s1, spec());
  settle();
  REQUIRE(self->has_next_message());
  pending.receive(
      [](events_answer& page) {
        CHECK_FALSE(page->gap);
        CHECK(page->events.size() == 1);
      },
      [](caf::error&) { FAIL(); });
}

TEST_CASE_METHOD(events_fixture, "a takeover is a gap, and the new leader tells what happens from then on, once") {
  auto c0 = start_coordinator("c0");
  auto s0 = start_scheduler(c0.actor);
  advance(1s);
  auto w0 = connect(c0, "w", 2);
  submit(s0, spec());
  const auto second = submit(s0, spec());
  auto c1 = start_coordinator("c1");
  auto before = open(s0);
  auto s1 = start_scheduler(c1.actor); // another node's: the link to the leader turns by itself, here each has its own
  const auto given = w0->assigned();
  REQUIRE(given.size() == 2);
  kill(c0);
  while (c1.view->term() == 0) advance(100ms);
  auto w1 = connect(c1, "w", 1, {given[0].what, given[1].what}, {"k"}, "1");
  auto after = open(s1, {}, before.after);
  hear(after);
  CHECK(hear(after) == "gap"); // adopted: they run as they did
  say(*w1, finished_tasks{{result_of(given[0])}});
  CHECK(hear(after) == "succeeded");
  advance_beating({w1}, 100ms);
  submit(s1, spec());
  CHECK(hear(after).starts_with("ready"));
  w1->closed = true;
  caf::anon_send(w1->proxy, stop_atom::value);
  advance(6s);
  CHECK(find(s1, second).state == task_state::ready);
  CHECK(hear(after).starts_with("ready")); // lost with its worker
}

TEST_CASE_METHOD(events_fixture, "a stream outlives the leader it was told by") {
  auto c0 = start_coordinator("c0");
  auto s = start_scheduler(c0.actor);
  advance(1s);
  auto all = open(s);
  kill(c0);
  advance(1s);
  auto page = ask<events_answer>(s, events_atom::value, event_request{all.after, {}, 10}, caf::timespan(0));
  REQUIRE(page); // nothing new, and no error
  CHECK(page->events.empty());
  CHECK_FALSE(page->gap);
}

TEST_CASE_METHOD(events_fixture, "labels are looked up in the database") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  event_filter mine;
  mine.labels = {{"team", "mail"}};
  auto some = open(s, mine);
  submit(s, spec());
  auto what = spec();
  what.labels = {{"team", "mail"}, {"x", "y"}};
  const auto id = submit(s, what);
  auto page = ask<events_answer>(s, events_atom::value, event_request{some.after, mine, 10}, caf::timespan(5s));
  REQUIRE(page);
  REQUIRE(page->events.size() == 1);
  CHECK(page->events[0].task == id);
}

TEST_CASE_METHOD(events_fixture, "nothing is written down for nobody, and who comes back too late is told so") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto all = open(s);
  submit(s, spec());
  CHECK(hear(all) == "ready");
  advance(40s); // the feed stops asking after half a minute; the leader writes down for another
  submit(s, spec());
  CHECK(hear(all).empty()); // and asks again now
  CHECK(hear(all) == "ready");
  advance(120s);
  submit(s, spec());
  CHECK(hear(all).empty());
  CHECK(hear(all) == "gap");
  advance(10ms);
  submit(s, spec());
  CHECK(hear(all) == "ready");
}

TEST_CASE_METHOD(events_fixture, "a reader that falls behind the ring has a gap, and then what is kept") {
  config.events_kept = 5;
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto all = open(s);
  const auto begun = *all.after;
  for (int i = 0; i < 9; ++i) submit(s, spec());
  auto page = ask<events_answer>(c.actor, events_atom::value, event_request{begun, {}, 100}, caf::timespan(0));
  REQUIRE(page);
  CHECK(page->gap);
  CHECK(page->events.size() == 5);
  CHECK(hear(all) == "ready, ready, ready, ready, ready, ready, ready, ready, ready"); // the feed kept pace
}

TEST_CASE_METHOD(events_fixture, "who waits for events is bounded, and a coordinator that stands by says so") {
  config.events_pollers = 1;
  auto c = start_coordinator("c0");
  advance(1s);
  const event_request what{event_id{c.view->term(), 0}, {}, 10};
  auto first = self->request(c.actor, caf::infinite, events_atom::value, what, caf::timespan(10s));
  settle();
  const auto second = ask<events_answer>(c.actor, events_atom::value, what, caf::timespan(10s));
  REQUIRE_FALSE(second);
  CHECK(second.failure().code == ec::exhausted);
  auto c1 = start_coordinator("c1");
  const auto standby = ask<events_answer>(c1.actor, events_atom::value, what, caf::timespan(10s));
  REQUIRE_FALSE(standby);
  CHECK(standby.failure().code == ec::not_leader);
  advance(11s);
  first.receive([](events_answer& page) { CHECK(page->events.empty()); }, [](caf::error&) { FAIL(); });
}

TEST_CASE_METHOD(events_fixture, "the streams that wait at one scheduler are bounded, and its limit is told") {
  auto c = start_coordinator("c0");
  advance(1s);
  event_feed_config few;
  few.streams = 2;
  auto feed = own(system.spawn(event_feed, few, coordinator_actor(c.actor), own(system.spawn(controlled_lane, std::shared_ptr<task_store>(make_memory_store(database)), std::make_shared<lane_control>()))));
  const event_request what{event_id{c.view->term(), 0}, {}, 10};
  auto first = self->request(feed, caf::infinite, events_atom::value, what, caf::timespan(10s));
  auto second = self->request(feed, caf::infinite, events_atom::value, what, caf::timespan(10s));
  settle();
  const auto third = ask<events_answer>(feed, events_atom::value, what, caf::timespan(10s));
  REQUIRE_FALSE(third);
  CHECK(third.failure().code == ec::exhausted);
  CHECK(third.failure().message.find("2 event streams") != std::string::npos);
  advance(11s);
  for (auto* r : {&first, &second}) r->receive([](events_answer& page) { CHECK(page->events.empty()); }, [](caf::error&) { FAIL(); });
}

TEST_CASE_METHOD(events_fixture, "who waits at a leader that steps down is told at once, so that he asks the next") {
  auto c = start_coordinator("c0");
  advance(1s);
  const event_request what{event_id{c.view->term(), 0}, {}, 10};
  auto waits = self->request(c.actor, caf::infinite, events_atom::value, what, caf::timespan(60s));
  c.lease->hold = true; // it cannot renew
  advance(5s);
  REQUIRE_FALSE(self->mailbox().empty());
  waits.receive([](events_answer& page) { CHECK(page.failure().code == ec::not_leader); }, [](caf::error&) { FAIL(); });
}
