// Somebody who follows the events of all tasks, from scheduler to scheduler and over changes of leaders, as a client with Last-Event-ID does.
// What is heard is compared with what was committed: an end is told once and after its commit, each step follows from the one before, and
// what is not told was said to be a gap.
#pragma once
#include "tests/simulate/cluster.hpp"

namespace taskmaster::simulate {

class listener {
public:
  /// How long one question waits for an event.
  static constexpr std::chrono::seconds patience{3};

  listener(world& w, books& b, cluster& c);
  void live();
  /// Every end since the last gap has to be heard of by now.
  void close();

private:
  using self_ptr = caf::event_based_actor*;
  static caf::behavior person(self_ptr self);
  void ask();
  void hear(const event_page& page);
  void hear(const task_event& e);
  void again(duration wait);

  world& world_;
  books& books_;
  cluster& cluster_;
  std::shared_ptr<part> home_;
  caf::actor person_;
  std::optional<event_id> after_;
  steady_time since_{}; // from here on nothing may be missing
  bool begun_ = false;
  std::map<uuid, std::pair<task_state, std::int32_t>> last_; // since the last gap
  std::set<std::pair<uuid, std::int32_t>> ends_;             // with the attempt
};

} // namespace taskmaster::simulate
