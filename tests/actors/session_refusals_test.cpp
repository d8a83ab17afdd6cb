// What a worker may not say: such a session is refused, or what it said is passed over.
#include "tests/actors/cluster_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE_METHOD(cluster_fixture, "a worker cannot claim or finish what it was never given") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  auto thief = connect(c, "thief", 0);
  const auto id = submit(s, spec());
  const auto given = w->assigned().at(0);
  say(*thief, finished_tasks{{result_of(given)}}); // signed for "w"
  CHECK(thief->acks().at(0).stale);
  auto claimant = connect(c, "thief", 1, {given.what}, {"k"}, "2");
  CHECK(claimant->all<welcome>().at(0).drop.size() == 1);
  CHECK(find(s, id).worker == "w");
  run_result invented = result_of(given);
  for (int i = 0; i < 101; ++i) {
    invented.what.what.fence.sequence = 1'000 + static_cast<std::uint64_t>(i);
    say(*thief, finished_tasks{{invented}});
  }
  CHECK(thief->closed);
  say(*w, finished_tasks{{result_of(given)}});
  CHECK(stored(id).state == task_state::succeeded);
}

TEST_CASE_METHOD(cluster_fixture, "another protocol version, an empty hello, silence: refused with a sentence") {
  auto c = start_coordinator("c0");
  advance(1s);
  const auto say_hello = [&](hello h) {
    auto link = std::make_shared<hand_worker>();
    link->proxy = own(system.spawn(worker_proxy, c.actor, link, c.view, config.timing));
    say(*link, std::move(h));
    REQUIRE(link->closed);
    REQUIRE(link->all<refused>().size() == 1);
    return link->all<refused>()[0];
  };
  hello h;
  h.name = "w";
  h.incarnation = "1";
  h.kinds = {"k"};
  auto newer = h;
  newer.protocol = 2;
  CHECK(say_hello(newer).code == "incompatible");
  CHECK(say_hello(newer).message.find("speaks session protocol 1") != std::string::npos);
  auto nothing = h;
  nothing.kinds.clear();
  CHECK(say_hello(nothing).message.find("kinds") != std::string::npos);
  auto greedy = h;
  greedy.credit = 1'000'000;
  CHECK(say_hello(greedy).message.find("credit") != std::string::npos);
  auto silent = std::make_shared<hand_worker>();
  silent->proxy = own(system.spawn(worker_proxy, c.actor, silent, c.view, config.timing));
  advance(11s);
  CHECK(silent->closed);
}

TEST_CASE_METHOD(cluster_fixture, "R10: credit that comes with results gives the next task, and more than can be ends the session") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  auto w = connect(c, "w", 1);
  submit(s, spec());
  submit(s, spec());
  REQUIRE(w->assigned().size() == 1);
  say(*w, finished_tasks{{result_of(w->assigned()[0])}, 1});
  REQUIRE(w->assigned().size() == 2);
  say(*w, finished_tasks{{result_of(w->assigned()[1])}, limits::slots + 1});
  CHECK(w->closed);
  REQUIRE(w->all<refused>().size() == 1);
  CHECK(w->all<refused>()[0].message.find("finished.more_credit is 10001") != std::string::npos);
}
