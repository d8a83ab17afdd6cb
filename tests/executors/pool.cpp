// The pool in virtual time, with an executor that does as the test says.
#include "actors/executor_pool.hpp"

#include "tests/deterministic.hpp"
#include "tests/executors/awaited.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

struct puppet : executor {
  void start(execution what, done_callback done) override {
    started.push_back(what);
    callbacks[what.run] = std::move(done);
  }
  void cancel(std::uint64_t run) override { cancelled.push_back(run); }
  void stop() override { ++stops; }

  std::vector<execution> started;
  std::map<std::uint64_t, done_callback> callbacks;
  std::vector<std::uint64_t> cancelled;
  int stops = 0;
};

struct fixture : deterministic {
  std::shared_ptr<puppet> strings = std::make_shared<puppet>();
  executor_pool_actor pool = own(executor_pool_actor(system.spawn(executor_pool, executors{{"custom", strings}})));
  std::map<std::uint64_t, std::vector<execution_result>> answers;

  // A request whose answer may take its time: an actor of its own waits for it.
  void run(execution what) {
    const auto id = what.run;
    auto* all = &answers;
    auto asker = system.spawn([pool = pool, all, id, what](caf::event_based_actor* actor) {
      actor->request(pool, caf::infinite, run_atom::value, what)
          .then([all, id](execution_result& r) { (*all)[id].push_back(std::move(r)); },
                [all, id](caf::error&) { (*all)[id].push_back(refused_by_error()); });
    });
    own(asker);
    settle();
  }
  static execution_result refused_by_error() {
    execution_result r;
    r.outcome = run_outcome::returned;
    return r;
  }
  template <class Atom, class... Ts>
  void tell(Atom atom, Ts... xs) {
    self->send(pool, atom, xs...);
    settle();
  }
};

execution a_sleep(std::uint64_t run, const std::string& length, duration timeout = duration{0}) {
  auto what = an_execution("sleep", R"({"for": ")" + length + "\"}", run);
  what.timeout = timeout;
  return what;
}

} // namespace

TEST_CASE_METHOD(fixture, "built-ins without a wait are answered at once") {
  run(an_execution("noop", "null", 1));
  run(an_execution("echo", "7", 2));
  run(an_execution("fail", "null", 3));
  CHECK(answers[1].at(0).outcome == run_outcome::succeeded);
  CHECK(answers[2].at(0).result == R"({"output":7})");
  CHECK(answers[3].at(0).outcome == run_outcome::failed);
}

TEST_CASE_METHOD(fixture, "sleeps end in the order of their times, to the microsecond") {
  run(a_sleep(1, "10s"));
  run(a_sleep(2, "5s"));
  run(a_sleep(3, "1m"));
  run(a_sleep(4, "5s"));
  advance(4999999us);
  CHECK(answers.empty());
  advance(1us);
  CHECK(answers[2].size() == 1);
  CHECK(answers[4].size() == 1);
  CHECK(answers.count(1) == 0);
  advance(5s);
  CHECK(answers[1].size() == 1);
  advance(50s);
  CHECK(answers[3].at(0).outcome == run_outcome::succeeded);
  advance(1h);
  for (const auto& [run, all] : answers) CHECK(all.size() == 1);
}

TEST_CASE_METHOD(fixture, "a sleep longer than its timeout ends with it") {
  run(a_sleep(1, "10s", 3s));
  run(a_sleep(2, "2s", 3s));
  advance(2s);
  CHECK(answers[2].at(0).outcome == run_outcome::succeeded);
  advance(999ms);
  CHECK(answers.count(1) == 0);
  advance(1ms);
  CHECK(answers[1].at(0).outcome == run_outcome::timeout);
  CHECK(code_of(answers[1].at(0)) == "timeout");
  advance(1min);
  CHECK(answers[1].size() == 1);
}

TEST_CASE_METHOD(fixture, "a cancelled sleep is answered at once and once") {
  run(a_sleep(1, "10s"));
  run(a_sleep(2, "20s"));
  tell(cancel_atom::value, std::uint64_t{1});
  CHECK(answers[1].at(0).outcome == run_outcome::cancelled);
  tell(cancel_atom::value, std::uint64_t{1});
  tell(cancel_atom::value, std::uint64_t{77});
  // The same number may be used again; the tick of the first run must not end the second one early.
  run(a_sleep(1, "30s"));
  advance(20s);
  CHECK(answers[1].size() == 1);
  CHECK(answers[2].size() == 1);
  advance(10s);
  CHECK(answers[1].size() == 2);
  CHECK(answers[1].at(1).outcome == run_outcome::succeeded);
}

TEST_CASE_METHOD(fixture, "a kind that nobody serves is refused") {
  run(an_execution("mystery", "null"));
  CHECK(answers[1].at(0).outcome == run_outcome::refused);
  CHECK(code_of(answers[1].at(0)) == "kind");
}

TEST_CASE_METHOD(fixture, "an executor's result becomes the answer") {
  auto what = an_execution("custom", "{}", 5);
  what.timeout = 3s;
  run(what);
  REQUIRE(strings->started.size() == 1);
  CHECK(strings->started[0].timeout == 3s);
  advance(1h);
  CHECK(answers.empty()); // timeouts of executors are their own business
  execution_result result;
  result.result = "42";
  strings->callbacks[5](result);
  settle();
  CHECK(answers[5].at(0).result == "42");
}

TEST_CASE_METHOD(fixture, "a cancel reaches the executor, whose result then says what happened") {
  run(an_execution("custom", "{}", 5));
  tell(cancel_atom::value, std::uint64_t{5});
  CHECK(strings->cancelled == std::vector<std::uint64_t>{5});
  CHECK(answers.empty());
  strings->callbacks[5]({});
  settle();
  CHECK(answers[5].at(0).outcome == run_outcome::succeeded);
}

TEST_CASE_METHOD(fixture, "a run that is under way is not started twice") {
  run(an_execution("custom", "{}", 5));
  run(an_execution("custom", "{}", 5));
  CHECK(strings->started.size() == 1);
  CHECK(answers[5].at(0).outcome == run_outcome::refused);
}

TEST_CASE_METHOD(fixture, "stopping answers everything as cancelled, once, and ends the pool") {
  run(an_execution("custom", "{}", 5));
  run(a_sleep(6, "10s"));
  bool down = false;
  self->monitor(pool);
  tell(stop_atom::value);
  CHECK(strings->cancelled == std::vector<std::uint64_t>{5});
  CHECK(strings->stops == 0);
  CHECK(answers[5].at(0).outcome == run_outcome::cancelled);
  CHECK(answers[6].at(0).outcome == run_outcome::cancelled);
  strings->callbacks[5]({}); // comes too late for anyone
  advance(1min);
  CHECK(answers[5].size() == 1);
  CHECK(answers[6].size() == 1);
  REQUIRE(self->has_next_message());
  self->receive([&](const caf::down_msg&) { down = true; });
  CHECK(down);
  stop_executors({{"custom", strings}});
  CHECK(strings->stops == 1);
}
