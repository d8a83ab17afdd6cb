// The worker's session: whom it dials, when it gives one up, and what it says. Virtual time, a dialer made of the test's own hands.
#include "actors/worker.hpp"
#include "tests/deterministic.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

struct hand_link : coordinator_link {
  bool push(from_worker message) override {
    said.push_back(std::move(message));
    return !closed;
  }
  void close() override { closed = true; }
  std::vector<from_worker> said;
  bool closed = false;
};

/// Every dial opens at once; who answers what is the test's to say.
struct hand_dialer : coordinator_dialer {
  void dial(const std::string& address, std::uint64_t number, worker_actor who) override {
    dialled.push_back(address);
    last = number;
    link = std::make_shared<hand_link>();
    caf::anon_send(who, link_event{number, link, {}, ""});
  }
  std::vector<std::string> dialled;
  std::uint64_t last = 0;
  std::shared_ptr<hand_link> link;
};

executor_pool_actor::behavior_type idle_pool() {
  return {[](run_atom, const execution&) { return execution_result{}; }, [](cancel_atom, std::uint64_t) {}, [](stop_atom) {}};
}

executor_pool_actor::behavior_type endless_pool(executor_pool_actor::stateful_pointer<std::vector<caf::typed_response_promise<execution_result>>> self) {
  return {[self](run_atom, const execution&) -> caf::result<execution_result> {
            return self->state.emplace_back(self->make_response_promise<execution_result>());
          },
          [](cancel_atom, std::uint64_t) {}, [](stop_atom) {}};
}

class worker_fixture : public deterministic {
public:
  explicit worker_fixture(bool ends = true) {
    worker_config config;
    config.name = config.incarnation = "w";
    config.coordinators = {"a:1", "b:1"};
    config.kinds = {"k"};
    subject = own(system.spawn(worker, config, dialer, ends ? own(system.spawn(idle_pool)) : own(system.spawn(endless_pool))));
  }
  void say(to_worker message) {
    caf::anon_send(subject, link_event{dialer->last, nullptr, std::move(message), ""});
    settle();
  }
  void welcome_it(bool reads_joined = true) {
    welcome w;
    w.reads_joined = reads_joined;
    w.term = 7;
    w.heartbeat_interval = 500ms;
    w.lease = 1200ms;
    say(std::move(w));
  }
  void give_task() {
    assignment task;
    task.what.what = claim{uuid::make(timestamp(1s)), 1, 0, {7, 1}};
    task.kind = "k";
    task.payload = std::make_shared<const std::string>("null");
    say(assign{{task}});
  }
  /// What it says of a task that ends at once.
  const std::vector<from_worker>& said_of_one(bool reads_joined) {
    welcome_it(reads_joined);
    dialer->link->said.clear();
    give_task();
    return dialer->link->said;
  }
  /// Lets time pass with every heartbeat answered.
  void answered(caf::timespan span) {
    for (caf::timespan passed{0}; passed < span; passed += 100ms) {
      advance(100ms);
      for (auto& m : std::exchange(dialer->link->said, {}))
        if (const auto* beat = std::get_if<heartbeat>(&m)) say(heartbeat_answer{beat->sequence});
    }
  }

  std::shared_ptr<hand_dialer> dialer = std::make_shared<hand_dialer>();
  worker_actor subject;
};

struct endless_fixture : worker_fixture {
  endless_fixture() : worker_fixture(false) {}
  std::vector<started_task> told() const {
    std::vector<started_task> out;
    for (const auto& m : dialer->link->said)
      if (const auto* s = std::get_if<started_tasks>(&m)) out.insert(out.end(), s->tasks.begin(), s->tasks.end());
    return out;
  }
};

} // namespace

TEST_CASE_METHOD(worker_fixture, "a leader that falls silent is left when its lease is over, and another is dialled") {
  advance(200ms);
  REQUIRE(dialer->dialled == std::vector<std::string>{"a:1"});
  welcome_it();
  answered(5s);
  REQUIRE(dialer->dialled.size() == 1);
  const auto link = dialer->link;
  advance(1000ms);
  CHECK_FALSE(link->closed); // a heartbeat that is on its way is waited for
  advance(900ms);
  CHECK(link->closed);
  CHECK(dialer->dialled == std::vector<std::string>{"a:1", "b:1"});
}

TEST_CASE_METHOD(worker_fixture, "the leader that was silent is not the one dialled next, also when another had named it") {
  advance(200ms);
  say(refused{"not_leader", "the other one leads", "b:1"});
  advance(200ms);
  REQUIRE(dialer->dialled == std::vector<std::string>{"a:1", "b:1"});
  welcome_it();
  advance(2s); // b is frozen; the next in turn would be b again
  CHECK(dialer->dialled == std::vector<std::string>{"a:1", "b:1", "a:1"});
}

TEST_CASE_METHOD(worker_fixture, "R14: the lease of a welcome runs from the hello it answers") {
  advance(200ms);
  advance(2s); // this process stood still, or the coordinator was loading
  welcome_it(false); // tells of each start by itself
  give_task();
  const auto started = [&] {
    return std::any_of(dialer->link->said.begin(), dialer->link->said.end(), [](const auto& m) { return std::holds_alternative<started_tasks>(m); });
  };
  CHECK_FALSE(started());
  advance(100ms);
  const auto said = dialer->link->said;
  for (const auto& m : said)
    if (const auto* beat = std::get_if<heartbeat>(&m)) say(heartbeat_answer{beat->sequence});
  CHECK(started());
}

TEST_CASE_METHOD(worker_fixture, "credit goes with the results to a coordinator that reads it there, and by itself to an older one") {
  advance(200ms);
  for (const bool reads : {true, false}) {
    std::int32_t with = 0, alone = 0;
    for (const auto& m : said_of_one(reads)) {
      if (const auto* f = std::get_if<finished_tasks>(&m)) with += f->credit;
      if (const auto* c = std::get_if<more_credit>(&m)) alone += c->more;
    }
    CHECK(with == (reads ? 1 : 0));
    CHECK(alone == (reads ? 0 : 1));
  }
}

TEST_CASE_METHOD(worker_fixture, "to a coordinator that reads in a result when it began, what ends at once is not told as started") {
  advance(200ms);
  for (const bool reads : {true, false}) {
    const auto& said = said_of_one(reads);
    CHECK(std::any_of(said.begin(), said.end(), [](const auto& m) { return std::holds_alternative<started_tasks>(m); }) == !reads);
    CHECK(std::any_of(said.begin(), said.end(), [](const auto& m) { return std::holds_alternative<finished_tasks>(m); }));
  }
}

TEST_CASE_METHOD(endless_fixture, "what still runs after 2 ms is told as started once, not at the next tick, and anew on the next stream") {
  advance(200ms);
  welcome_it();
  give_task();
  CHECK(told().empty());
  advance(3ms);
  REQUIRE(told().size() == 1);
  CHECK(told()[0].ago >= 2ms);
  CHECK(told()[0].ago <= 3ms);
  advance(100ms);
  CHECK(told().size() == 1);
  caf::anon_send(subject, link_event{dialer->last, nullptr, {}, "broken"});
  advance(1s);
  welcome_it();
  REQUIRE(told().size() == 1); // on the new link
  CHECK(told()[0].ago > 1s);
}

TEST_CASE_METHOD(worker_fixture, "a coordinator that is loading has four seconds for its welcome") {
  advance(3900ms);
  CHECK(dialer->dialled.size() == 1);
  advance(500ms);
  CHECK(dialer->dialled.size() == 2);
}
