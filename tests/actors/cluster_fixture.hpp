// A whole cluster in virtual time: schedulers, coordinators and workers as real actors over one memory database. Store lanes can be
// told to hold their answers, or to fail; the database's clock runs with the virtual one.
#pragma once
#include "actors/coordinator.hpp"
#include "actors/event_feed.hpp"
#include "actors/executor_pool.hpp"
#include "actors/leader_keeper.hpp"
#include "actors/local_session.hpp"
#include "actors/scheduler.hpp"
#include "schema/memory_store.hpp"
#include "tests/deterministic.hpp"

namespace taskmaster::test {

using controlled_lane_actor = store_lane_actor::extend<
    // Delivers what was held.
    caf::reacts_to<run_atom>>;

/// What a test does to a lane: calls still reach the store at once, but their answers wait for release() and the next settle().
struct lane_control {
  bool hold = false;
  bool fail = false; // nothing is asked of the store: every call answers ec::unavailable
  std::vector<std::pair<caf::typed_response_promise<store_reply>, store_reply>> held;
  controlled_lane_actor lane;
  void release() {
    hold = false;
    caf::anon_send(lane, run_atom::value);
  }
};

controlled_lane_actor::behavior_type controlled_lane(controlled_lane_actor::stateful_pointer<store_lane_state> self,
                                                     std::shared_ptr<task_store> store, std::shared_ptr<lane_control> control);

/// A worker made of a test's own hands: it hears what the coordinator says and says what it is told.
class hand_worker : public worker_link {
public:
  bool push(to_worker message) override {
    if (closed) return false;
    heard.push_back(std::move(message));
    return true;
  }
  void close(std::string reason) override {
    if (!closed) why = reason;
    closed = true;
  }
  std::string peer() const override { return "test"; }

  template <class T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& m : heard)
      if (const auto* t = std::get_if<T>(&m)) out.push_back(*t);
    return out;
  }
  std::vector<assignment> assigned() const {
    std::vector<assignment> out;
    for (const auto& a : all<assign>()) out.insert(out.end(), a.tasks.begin(), a.tasks.end());
    return out;
  }
  std::vector<acknowledgement> acks() const {
    std::vector<acknowledgement> out;
    for (const auto& a : all<acknowledged>()) out.insert(out.end(), a.tasks.begin(), a.tasks.end());
    return out;
  }

  std::vector<to_worker> heard;
  bool closed = false;
  std::string why;
  worker_proxy_actor proxy;
};

struct test_coordinator {
  std::shared_ptr<lease_view> view = std::make_shared<lease_view>();
  std::shared_ptr<lane_control> writes = std::make_shared<lane_control>(), reads = std::make_shared<lane_control>(),
                                lease = std::make_shared<lane_control>();
  coordinator_desk_actor actor;
  leader_keeper_actor keeper;
};

class cluster_fixture : public deterministic {
public:
  cluster_fixture();
  ~cluster_fixture();

  /// `held`: with the answers of every lane held from the start.
  test_coordinator start_coordinator(const std::string& name, bool held = false);
  /// As if the process were gone: its actors end without a word.
  void kill(test_coordinator& c);
  scheduler_actor start_scheduler(coordinator_actor to);
  std::shared_ptr<lane_control> submits; // of the scheduler that was started last

  /// A session of a worker called `worker`; claims go into hello.
  std::shared_ptr<hand_worker> connect(const test_coordinator& c, const std::string& worker, std::int32_t credit,
                                       std::vector<signed_claim> held = {}, std::vector<std::string> kinds = {"k"},
                                       const std::string& incarnation = "1");
  void say(hand_worker& w, from_worker message) {
    caf::anon_send(w.proxy, std::move(message));
    settle();
  }
  static run_result result_of(const assignment& a, run_outcome outcome = run_outcome::succeeded, std::string text = "");
  /// Lets time pass while this worker keeps sending heartbeats.
  void advance_beating(std::vector<std::shared_ptr<hand_worker>> workers, caf::timespan span);

  uuid submit(const scheduler_actor& s, task_spec spec);
  static task_spec spec(const std::string& kind = "k");
  task_record find(const scheduler_actor& s, const uuid& id);
  /// What the database itself says.
  task_record stored(const uuid& id);

  std::shared_ptr<memory_database> database;
  std::unique_ptr<task_store> store; // a client of its own on the same database
  std::shared_ptr<metrics> meters = std::make_shared<metrics>(std::make_shared<prometheus::Registry>());
  coordinator_config config;
  timestamp wall();

private:
  store_lane_actor lane(std::shared_ptr<lane_control> control);
  std::vector<std::shared_ptr<lane_control>> lanes_;
};

} // namespace taskmaster::test
