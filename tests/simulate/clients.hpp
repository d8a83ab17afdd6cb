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

  world& world_;
  books& books_;
  cluster& cluster_;
  std::shared_ptr<part> home_;
  caf::actor person_;
  std::vector<uuid> known_;
  std::uint64_t keys_ = 0;
  bool at_most_once_, keyed_, limited_, narrow_;
};

} // namespace taskmaster::simulate
