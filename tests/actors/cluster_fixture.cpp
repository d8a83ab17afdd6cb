#include "tests/actors/cluster_fixture.hpp"

namespace taskmaster::test {

controlled_lane_actor::behavior_type controlled_lane(controlled_lane_actor::stateful_pointer<store_lane_state> self,
                                                     std::shared_ptr<task_store> store, std::shared_ptr<lane_control> control) {
  self->state.store = std::move(store);
  return {
      [self, control](const store_call& call) -> caf::result<store_reply> {
        if (control->fail) return caf::make_error(caf::sec::runtime_error);
        store_reply reply{std::make_shared<std::any>(call.run(*self->state.store))};
        auto promise = self->make_response_promise<store_reply>();
        if (control->hold) control->held.emplace_back(promise, std::move(reply));
        else promise.deliver(std::move(reply));
        return promise;
      },
      [control](run_atom) {
        for (auto& [promise, reply] : control->held) promise.deliver(reply);
        control->held.clear();
      },
  };
}

cluster_fixture::cluster_fixture()
    : database(make_memory_database([this] { return wall(); })), store(make_memory_store(database)) {}

timestamp cluster_fixture::wall() {
  return timestamp(std::chrono::hours(24 * 365 * 50)) + std::chrono::duration_cast<duration>(now().time_since_epoch());
}

cluster_fixture::~cluster_fixture() {
  for (auto& l : lanes_) l->lane = controlled_lane_actor{}; // the lane holds its control: one of the two has to let go
}

store_lane_actor cluster_fixture::lane(std::shared_ptr<lane_control> control) {
  auto actor = own(system.spawn(controlled_lane, std::shared_ptr<task_store>(make_memory_store(database)), control));
  control->lane = actor;
  lanes_.push_back(std::move(control));
  return actor;
}

test_coordinator cluster_fixture::start_coordinator(const std::string& name, bool held) {
  test_coordinator c;
  c.lease->hold = c.reads->hold = c.writes->hold = held;
  c.actor = own(system.spawn(coordinator, config, lane(c.writes), lane(c.reads), c.view, meters));
  c.keeper = own(system.spawn(leader_keeper, leader_keeper_config{name, name + ":1", {}}, lane(c.lease), c.actor, c.view));
  settle();
  return c;
}

void cluster_fixture::kill(test_coordinator& c) {
  caf::anon_send_exit(c.keeper, caf::exit_reason::kill);
  caf::anon_send_exit(c.actor, caf::exit_reason::kill);
  c.view->clear();
  settle();
}

scheduler_actor cluster_fixture::start_scheduler(coordinator_actor to) {
  const auto open = [this] { return lane(std::make_shared<lane_control>()); };
  submits = std::make_shared<lane_control>();
  const scheduler_lanes lanes{lane(submits), open(), open(), open()};
  auto events = own(system.spawn(event_feed, event_feed_config{}, to, lanes.reads));
  return own(system.spawn(taskmaster::scheduler, scheduler_config{}, lanes, std::move(to), events, meters));
}

std::shared_ptr<hand_worker> cluster_fixture::connect(const test_coordinator& c, const std::string& worker, std::int32_t credit,
                                                      std::vector<signed_claim> held, std::vector<std::string> kinds,
                                                      const std::string& incarnation) {
  auto link = std::make_shared<hand_worker>();
  link->proxy = own(system.spawn(worker_proxy, c.actor, link, c.view, config.timing));
  hello h;
  h.name = worker;
  h.incarnation = incarnation;
  h.kinds = std::move(kinds);
  h.slots = std::max(1, credit);
  h.credit = credit;
  h.held = std::move(held);
  say(*link, std::move(h));
  return link;
}

run_result cluster_fixture::result_of(const assignment& a, run_outcome outcome, std::string text) {
  run_result r;
  r.what = a.what;
  r.outcome = outcome;
  r.result = std::move(text);
  if (outcome != run_outcome::succeeded) r.failure = task_error{"exit", "exit status 1"};
  return r;
}

void cluster_fixture::advance_beating(std::vector<std::shared_ptr<hand_worker>> workers, caf::timespan span) {
  const auto step = std::chrono::milliseconds(250);
  for (caf::timespan passed{0}; passed < span; passed += step) {
    for (auto& w : workers)
      if (!w->closed) say(*w, heartbeat{1, {}});
    advance(std::min<caf::timespan>(step, span - passed));
  }
}

task_spec cluster_fixture::spec(const std::string& kind) {
  task_spec s;
  s.kind = kind;
  s.retry.jitter = 0;
  return s;
}

uuid cluster_fixture::submit(const scheduler_actor& s, task_spec what) {
  submit_request request;
  request.specs.push_back(std::move(what));
  auto answer = ask<submit_answer>(s, submit_atom::value, std::move(request));
  REQUIRE(answer);
  REQUIRE_FALSE(answer->at(0).refused);
  return answer->at(0).task.id;
}

task_record cluster_fixture::find(const scheduler_actor& s, const uuid& id) {
  auto answer = ask<find_answer>(s, find_atom::value, id);
  REQUIRE(answer);
  return *answer;
}

task_record cluster_fixture::stored(const uuid& id) {
  const auto found = store->find(id, std::chrono::seconds(1));
  REQUIRE(found);
  REQUIRE(found->has_value());
  return **found;
}

} // namespace taskmaster::test
