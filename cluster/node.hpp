// The compositions: which actors make a role, on which lanes, in which order they start and leave. main() makes the nodes of its command;
// tests make them too. Every part is named here and nowhere else; actors receive handles and look nothing up.
#pragma once
#include "actors/coordinator.hpp"
#include "actors/event_feed.hpp"
#include "actors/leader_keeper.hpp"
#include "actors/process_guardian.hpp"
#include "actors/scheduler.hpp"
#include "actors/webhook_executor.hpp"
#include "actors/worker.hpp"
#include "gateway/grpc_server.hpp"
#include "gateway/http_gateway.hpp"

#include <caf/all.hpp>

namespace taskmaster {

/// Where a store lane's store comes from: PostgreSQL in production.
using store_factory = std::function<std::unique_ptr<task_store>(const std::string& lane)>;
store_factory postgres_stores(const std::string& url, const std::string& role);

/// CAF as this product runs it (ARCHITECTURE.md has the figures): policy `sharing`, two threads.
struct node_system_config : caf::actor_system_config {
  node_system_config();
};

/// coordinator: keeper, coordinator, two lanes and the lease's, and while it leads a listener.
class coordinator_node {
public:
  struct options {
    std::string name;      // holder of the lease
    std::string advertise; // host:port for workers and schedulers; empty in one process
    coordinator_config config;
    leadership_options lease;
    std::string listen; // database whose notifications are heard; empty: none
  };
  coordinator_node(caf::actor_system& system, const store_factory& stores, std::shared_ptr<metrics> meters, options how);
  ~coordinator_node() { stop(); }

  coordinator_desk_actor actor() const { return coordinator_; }
  std::shared_ptr<lease_view> view() const { return view_; }
  const session_timing& timing() const { return timing_; }
  /// WorkerService and CoordinatorService for a gRPC server.
  std::vector<std::unique_ptr<grpc::Service>> services() const;
  /// Hands back the lease, ends the sessions, ends the actors. Blocks until the lease is back (2 s at most). Idempotent.
  void stop();

private:
  caf::actor_system& system_;
  std::shared_ptr<lease_view> view_;
  session_timing timing_;
  std::shared_ptr<submit_listener> submits_;
  store_lane_actor writes_, reads_, lease_lane_;
  coordinator_desk_actor coordinator_;
  leader_keeper_actor keeper_;
  bool stopped_ = false;
};

/// scheduler: desk, four lanes and the feed of events; the coordinator is the actor itself, or a link to one elsewhere.
class scheduler_node {
public:
  scheduler_node(caf::actor_system& system, const store_factory& stores, std::shared_ptr<metrics> meters, coordinator_actor coordinator,
                 scheduler_config config = {});
  ~scheduler_node() { stop(); }

  scheduler_actor actor() const { return scheduler_; }
  void stop();

private:
  scheduler_lanes lanes_;
  event_feed_actor events_;
  scheduler_actor scheduler_;
};

/// worker: session and executor pool.
class worker_node {
public:
  struct options {
    worker_config config;
    std::shared_ptr<process_guardian> guardian;
    webhook_options webhooks = {}; // of the kind `webhook`, for a worker that has secrets
  };
  worker_node(caf::actor_system& system, std::shared_ptr<coordinator_dialer> dialer, options how);
  ~worker_node() { stop(); }

  /// Takes no more work and waits for what runs, until `give_up()` says so (asked every 100 ms).
  void drain(const std::function<bool()>& give_up);
  void stop();
  /// Every kind that this build runs, but `webhook`, which takes a secret.
  static std::vector<std::string> kinds();

private:
  caf::actor_system& system_;
  std::map<std::string, std::shared_ptr<executor>> executors_;
  std::shared_ptr<coordinator_dialer> dialer_;
  executor_pool_actor pool_;
  worker_actor worker_;
  bool stopped_ = false;
};

} // namespace taskmaster
