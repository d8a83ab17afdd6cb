// Clients of the cluster: they submit, cancel, retry, wait, set queues, ask again with the same key when they did not get an answer.
// What they are told goes into the books.
#pragma once
#include "tests/simulate/cluster.hpp"

namespace taskmaster::simulate {

class clients {
public:
  /// How long a client waits for an answer.
  static constexpr std::chrono::seconds patience{12};

  clients(world& w, books& b, cluster& c);
  /// Something now and then, until `end`.
  void live(steady_time end, duration pause);
  /// Limits, before anything else.
  void set_limits();
  /// Some schedules, which end before the faults do.
  void set_schedules();
  void resume_schedules();
  /// Every queue open and without limits, asked until somebody says so.
  void open_queues();

private:
  using self_ptr = caf::event_based_actor*;
  static caf::behavior person(self_ptr self);
  void go(std::function<void(self_ptr)> what);
  void something();
  scheduler_actor any_scheduler();
  uuid any_task();
  task_spec spec();
  void submit(std::vector<task_spec> specs, int tries);
  void cancel();
  void retry();
  void wait();
  void bulk();
  void ask();
  void change_queue();
  void set(queue_change change, bool insist);
  // clients_graphs.cpp
  void submit_graph();
  void change();
  // clients_schedules.cpp
  void command(schedule_command c, bool insist);
  void command_schedule();

  world& world_;
  books& books_;
  cluster& cluster_;
  std::shared_ptr<part> home_;
  caf::actor person_;
  std::vector<uuid> known_;
  std::vector<std::string> schedules_;
  std::uint64_t keys_ = 0, editions_ = 0;
  bool at_most_once_, keyed_, limited_, narrow_, graphs_, changes_, hangs_, rated_;
};

} // namespace taskmaster::simulate
