// The cluster under test: real schedulers, coordinators with their keepers, workers, composed as cluster/node.cpp does, over the
// simulated database and wires. Each is a process that can die at any message and start again with nothing but its name.
#pragma once
#include "actors/coordinator.hpp"
#include "actors/leader_keeper.hpp"
#include "actors/scheduler.hpp"
#include "tests/simulate/database.hpp"
#include "tests/simulate/network.hpp"
#include "tests/simulate/script_pool.hpp"

namespace taskmaster::simulate {

struct scheduler_process {
  std::shared_ptr<part> home;
  scheduler_actor actor;
};
struct coordinator_process {
  std::shared_ptr<part> home;
  std::string name;
  std::shared_ptr<lease_view> view;
  coordinator_desk_actor actor;
  leader_keeper_actor keeper;
};
struct worker_process {
  std::shared_ptr<part> home;
  std::string name;
  worker_actor actor;
  std::int32_t slots = 1;
};

/// What stays the same over a worker's lives.
struct worker_plan {
  std::int32_t slots = 1, prefetch = 0;
  duration short_run = milliseconds(10);
  std::vector<std::string> kinds, queues;
};

class cluster {
public:
  cluster(world& w, books& b, std::size_t schedulers, std::size_t coordinators, std::vector<worker_plan> workers);

  database base;
  network net;
  std::shared_ptr<script> how = std::make_shared<script>();
  coordinator_config config; // of coordinators that start from now on
  std::vector<scheduler_process> schedulers;
  std::vector<coordinator_process> coordinators;
  std::vector<worker_process> workers;

  void start_scheduler(std::size_t i);
  void start_coordinator(std::size_t i);
  void start_worker(std::size_t i);
  /// kill -9.
  void kill(const std::shared_ptr<part>& home);
  /// SIGTERM: hands the lease back, or finishes what runs; the process is gone when it has.
  void stop_coordinator(std::size_t i);
  void stop_worker(std::size_t i);
  /// Everything that is down starts.
  void start_all();
  /// Which runs, if one does: its view says that it leads.
  const coordinator_process* leader() const;

private:
  uuid make_id();
  world& world_;
  books& books_;
  std::vector<worker_plan> plans_;
  std::vector<std::string> addresses_;
  std::shared_ptr<metrics> meters_;
  std::uint64_t lives_ = 0;
};

} // namespace taskmaster::simulate
