// What goes wrong, and when: drawn from the seed. Each seed has a menu of its own, so that some runs have one trouble often and others
// many at once.
#pragma once
#include "tests/simulate/cluster.hpp"

namespace taskmaster::simulate {

class troubles {
public:
  troubles(world& w, cluster& c);
  void live(steady_time end);
  /// The weather clears; what was stalled or frozen ends by its own time, which is short.
  void cease();
  std::size_t faults() const { return faults_ + cluster_.base.faults + cluster_.net.faults; }

private:
  using trouble = void (troubles::*)();
  void kill_scheduler();
  void kill_coordinator();
  void kill_worker();
  void stop_coordinator();
  void stop_worker();
  void freeze_process();
  void freeze_worker();
  void freeze_one_actor();
  void break_stream();
  void stall_stream();
  void part_ways();
  void outage();
  void cut_from_database();
  void strike_in_a_write();
  void say_again();
  void bad_weather();
  void step_clock();
  std::shared_ptr<part> any_process();
  duration a_while();

  world& world_;
  cluster& cluster_;
  std::vector<trouble> menu_;
  duration pause_{0};
  std::size_t faults_ = 0;
  bool ceased_ = false;
};

} // namespace taskmaster::simulate
