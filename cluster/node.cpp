#include "cluster/node.hpp"

#include "actors/executor_pool.hpp"
#include "actors/http_executor.hpp"
#include "actors/process_executor.hpp"
#include "gateway/coordinator_service.hpp"
#include "gateway/session_service.hpp"
#include "schema/postgres_store.hpp"

#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

/// Blocks, so it has a thread of its own; kept out of CAF's registry, where a detached actor can hang the exit (CAF issue 1110).
store_lane_actor spawn_lane(caf::actor_system& system, const store_factory& stores, const std::string& name) {
  return system.spawn<caf::detached>(store_lane, std::shared_ptr<task_store>(stores(name)));
}

template <class Handle>
void end(Handle& h) {
  if (h) caf::anon_send_exit(h, caf::exit_reason::user_shutdown);
  h = Handle{};
}

} // namespace

store_factory postgres_stores(const std::string& url, const std::string& role) {
  return [url, role](const std::string& lane) { return make_postgres_store({url, "taskmaster " + role + ": " + lane}); };
}

node_system_config::node_system_config() {
  // Requests from outside threads: p50 12 us with `sharing`, 125 us with `stealing` (its workers sleep between polls).
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-threads", 2u);
  set("scheduler.max-throughput", 100u);
}

// -- coordinator -------------------------------------------------------------------------------------------------------

coordinator_node::coordinator_node(caf::actor_system& system, const store_factory& stores, std::shared_ptr<metrics> meters, options how)
    : system_(system), view_(std::make_shared<lease_view>()), timing_(how.config.timing) {
  writes_ = spawn_lane(system, stores, "outcomes");
  reads_ = spawn_lane(system, stores, "reads");
  lease_lane_ = spawn_lane(system, stores, "lease");
  if (!how.listen.empty()) submits_ = how.config.submits = make_postgres_listener(how.listen, "taskmaster coordinator: listener");
  coordinator_ = system.spawn(coordinator, how.config, writes_, reads_, view_, std::move(meters));
  keeper_ = system.spawn(leader_keeper, leader_keeper_config{how.name, how.advertise, how.lease}, lease_lane_, coordinator_, view_);
}

std::vector<std::unique_ptr<grpc::Service>> coordinator_node::services() const {
  std::vector<std::unique_ptr<grpc::Service>> out;
  out.push_back(make_session_service(system_, coordinator_, view_, timing_));
  out.push_back(make_coordinator_service(system_, coordinator_, view_));
  return out;
}

void coordinator_node::stop() {
  if (std::exchange(stopped_, true)) return;
  // The coordinator first: it gives up its sessions and writes no more; then the lease, so that a standby leads at once.
  caf::anon_send(coordinator_, stop_atom::value);
  {
    caf::scoped_actor self(system_);
    self->request(keeper_, std::chrono::seconds(2), stop_atom::value)
        .receive([](const done_answer&) {}, [](const caf::error&) { spdlog::warn("the lease was not handed back, a standby waits for its end"); });
  }
  if (submits_) submits_->rest(); // lets go of the coordinator
  end(keeper_);
  end(coordinator_);
  end(lease_lane_);
  end(writes_);
  end(reads_);
}

// -- scheduler ---------------------------------------------------------------------------------------------------------

scheduler_node::scheduler_node(caf::actor_system& system, const store_factory& stores, std::shared_ptr<metrics> meters,
                               coordinator_actor coordinator, scheduler_config config)
    : lanes_{spawn_lane(system, stores, "submits"), spawn_lane(system, stores, "full batches"), spawn_lane(system, stores, "keyed submits"), spawn_lane(system, stores, "reads")} {
  events_ = system.spawn(event_feed, event_feed_config{}, coordinator, lanes_.reads);
  scheduler_ = system.spawn(scheduler, config, lanes_, std::move(coordinator), events_, std::move(meters));
}

void scheduler_node::stop() {
  end(scheduler_);
  end(events_);
  end(lanes_.submits);
  end(lanes_.overflow);
  end(lanes_.keyed);
  end(lanes_.reads);
}

// -- worker ------------------------------------------------------------------------------------------------------------

std::vector<std::string> worker_node::kinds() { return {"echo", "fail", "http", "noop", "shell", "sleep"}; }

worker_node::worker_node(caf::actor_system& system, std::shared_ptr<coordinator_dialer> dialer, options how) : system_(system), dialer_(std::move(dialer)) {
  process_executor_options processes;
  processes.guardian = how.guardian;
  processes.withheld = {"DATABASE_URL", "TASKMASTER_DATABASE_URL", "PGPASSWORD", "TASKMASTER_WEBHOOK_SECRET"};
  executors_["shell"] = std::make_shared<process_executor>(std::move(processes));
  executors_["http"] = std::make_shared<http_executor>(static_cast<std::size_t>(how.config.hold.slots));
  if (!how.webhooks.secrets.empty())
    executors_["webhook"] = std::make_shared<webhook_executor>(std::move(how.webhooks), executors_["http"]);
  pool_ = system.spawn(executor_pool, executors_);
  worker_ = system.spawn(worker, std::move(how.config), dialer_, pool_);
}

void worker_node::drain(const std::function<bool()>& give_up) {
  if (stopped_) return;
  caf::scoped_actor self(system_);
  // It ends when it is drained. A receive without end would be deaf to the second signal, so the mailbox is looked at in short waits.
  self->monitor(worker_);
  self->send(worker_, drain_atom::value);
  bool over = false;
  while (!over && !give_up()) {
    self->receive([&](const caf::down_msg&) { over = true; }, caf::after(std::chrono::milliseconds(100)) >> [] {});
  }
}

void worker_node::stop() {
  if (std::exchange(stopped_, true)) return;
  caf::anon_send(worker_, stop_atom::value);
  caf::anon_send(pool_, stop_atom::value);
  stop_executors(executors_);
  end(worker_);
  end(pool_);
  dialer_->stop();
}

} // namespace taskmaster
