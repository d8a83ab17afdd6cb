#include "cluster/run_node.hpp"

#include "actors/local_session.hpp"
#include "cluster/node.hpp"
#include "cluster/prepare_database.hpp"
#include "cluster/private_postgres.hpp"
#include "cluster/stop_signals.hpp"
#include "cluster/webhook_settings.hpp"
#include "gateway/coordinator_client.hpp"
#include "gateway/event_service.hpp"
#include "gateway/queue_service.hpp"
#include "gateway/schedule_service.hpp"
#include "gateway/session_client.hpp"
#include "gateway/status_server.hpp"
#include "gateway/task_service.hpp"

#include <algorithm>
#include <random>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <thread>
#include <unistd.h>

namespace taskmaster {
namespace {

std::string host_name() {
  char text[256] = {};
  return gethostname(text, sizeof text - 1) == 0 && text[0] ? text : "localhost";
}

std::uint64_t entropy() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

worker_config worker_settings(const node_settings& s, const webhook_options& webhooks) {
  worker_config c;
  c.name = s.name.empty() ? host_name() : s.name;
  c.incarnation = uuid::make(std::chrono::time_point_cast<duration>(std::chrono::system_clock::now())).str();
  c.coordinators = s.coordinators.empty() ? std::vector<std::string>{"in process"} : s.coordinators;
  c.queues = s.queues;
  c.kinds = s.kinds.empty() ? worker_node::kinds() : s.kinds;
  if (s.kinds.empty() && !webhooks.secrets.empty()) c.kinds.push_back("webhook");
  c.hold.slots = s.slots ? s.slots : std::max(4, static_cast<int>(std::thread::hardware_concurrency()));
  c.hold.prefetch = s.prefetch;
  c.seed = entropy();
  return c;
}

coordinator_node::options coordinator_settings(const node_settings& s, const std::string& url, std::string advertise) {
  coordinator_node::options o;
  o.listen = url;
  o.name = (s.name.empty() ? host_name() : s.name) + "-" + std::to_string(getpid());
  o.advertise = std::move(advertise);
  o.config.plan.seed = entropy();
  o.config.retention = *parse_duration(s.retention);
  return o;
}

/// Where others reach a coordinator that listens at `listening`.
std::string advertised(const node_settings& s, const std::string& listening) {
  if (!s.advertise.empty()) return s.advertise;
  const auto colon = listening.rfind(':');
  const auto host = listening.substr(0, colon);
  const bool everywhere = host.empty() || host == "0.0.0.0" || host == "[::]";
  return (everywhere ? host_name() : host) + listening.substr(colon);
}

std::pair<std::string, std::uint16_t> host_and_port(const std::string& address) {
  const auto colon = address.rfind(':');
  return {colon == 0 ? "0.0.0.0" : address.substr(0, colon), static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)))};
}

http_gateway_options http_settings(const node_settings& s, const std::shared_ptr<metrics>& meters) {
  http_gateway_options o;
  std::tie(o.host, o.port) = host_and_port(s.http);
  o.registry = meters->registry;
  return o;
}

int refuse(const error& e) {
  spdlog::error("cannot start: {}", e.message);
  return 1;
}

std::unique_ptr<grpc_server> serve_grpc(const std::string& address, std::vector<std::unique_ptr<grpc::Service>> services, int& code) {
  auto server = grpc_server::start(address, std::move(services));
  if (server) return std::move(*server);
  code = refuse(server.failure());
  return nullptr;
}

void wait_for_stop() {
  while (!stop_asked(std::chrono::seconds(3600))) {}
  spdlog::info("stopping: no new work is taken; a second signal stops at once");
}

bool second_signal() { return stop_asked(std::chrono::milliseconds(0)); }

int run_up(const node_settings& s, std::shared_ptr<process_guardian> guardian) {
  std::unique_ptr<private_postgres> postgres;
  auto url = s.database; // `up` does not read DATABASE_URL: it has a database of its own unless told otherwise
  if (url.empty()) {
    auto started = private_postgres::start(s.data.empty() ? default_data_folder() : std::filesystem::path(s.data));
    if (!started) return refuse(started.failure());
    postgres = std::move(*started);
    for (const auto& note : postgres->notes()) spdlog::info("PostgreSQL: {}", note);
    url = postgres->url();
  }
  const auto webhooks = webhooks_of(s, postgres ? s.data.empty() ? default_data_folder() : std::filesystem::path(s.data) : std::filesystem::path());
  if (!webhooks) return refuse(webhooks.failure());
  if (!prepare_database(url, std::nullopt, stop_asked)) return 1;

  auto meters = std::make_shared<metrics>(std::make_shared<prometheus::Registry>());
  node_system_config config;
  caf::actor_system system(config);
  const auto stores = postgres_stores(url, "up");
  coordinator_node coordinator(system, stores, meters, coordinator_settings(s, url, advertised(s, s.grpc)));
  scheduler_node scheduler(system, stores, meters, coordinator.actor());
  worker_node worker(system, make_local_dialer(system, coordinator.actor(), coordinator.view(), coordinator.timing()),
                     {worker_settings(s, *webhooks), std::move(guardian), *webhooks});
  http_gateway http(system, scheduler.actor(), http_settings(s, meters));
  auto services = coordinator.services();
  services.push_back(make_task_service(system, scheduler.actor()));
  services.push_back(make_queue_service(system, scheduler.actor()));
  services.push_back(make_schedule_service(system, scheduler.actor()));
  services.push_back(make_event_service(system, scheduler.actor()));
  int code = 0;
  auto grpc = serve_grpc(s.grpc, std::move(services), code);
  if (grpc) {
    if (const auto listening = http.start(); !listening) code = refuse(listening.failure());
  }
  if (code == 0) {
    spdlog::info("HTTP on {}:{}, gRPC on {}", s.http.substr(0, s.http.rfind(':')), http.port(), grpc->address());
    while (!stop_asked(std::chrono::seconds(1))) {
      if (!postgres) continue;
      if (const auto revived = postgres->revive(); !revived) spdlog::error("PostgreSQL: {}", revived.failure().message);
      else if (*revived) spdlog::warn("PostgreSQL had ended and was started again");
    }
    spdlog::info("stopping: no new work is taken; a second signal stops at once");
    http.stop();
    worker.drain(second_signal);
  }
  // Doors first, keepers last.
  http.stop();
  worker.stop();
  if (grpc) grpc->stop();
  scheduler.stop();
  coordinator.stop();
  signals_kill();
  return code; // doors, nodes, the actor system and, after it has seen its last actor end, PostgreSQL: in the reverse of their making
}

int run_scheduler(const node_settings& s) {
  const auto url = s.database;
  if (!prepare_database(url, std::nullopt, stop_asked)) return 1;
  auto meters = std::make_shared<metrics>(std::make_shared<prometheus::Registry>());
  node_system_config config;
  caf::actor_system system(config);
  const auto calls = std::make_shared<open_calls>();
  auto coordinator = system.spawn(coordinator_client, s.coordinators, calls);
  scheduler_node scheduler(system, postgres_stores(url, "scheduler"), meters, coordinator);
  http_gateway http(system, scheduler.actor(), http_settings(s, meters));
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(make_task_service(system, scheduler.actor()));
  services.push_back(make_queue_service(system, scheduler.actor()));
  services.push_back(make_schedule_service(system, scheduler.actor()));
  services.push_back(make_event_service(system, scheduler.actor()));
  int code = 0;
  auto grpc = serve_grpc(s.grpc, std::move(services), code);
  if (grpc) {
    if (const auto listening = http.start(); !listening) code = refuse(listening.failure());
  }
  if (code == 0) {
    spdlog::info("HTTP on {}:{}, gRPC on {}", s.http.substr(0, s.http.rfind(':')), http.port(), grpc->address());
    wait_for_stop();
  }
  http.stop();
  if (grpc) grpc->stop();
  scheduler.stop();
  caf::anon_send(coordinator, stop_atom::value);
  calls->close();
  signals_kill();
  return code;
}

int run_coordinator(const node_settings& s) {
  const auto url = s.database;
  if (!prepare_database(url, std::nullopt, stop_asked)) return 1;
  auto meters = std::make_shared<metrics>(std::make_shared<prometheus::Registry>());
  node_system_config config;
  caf::actor_system system(config);
  coordinator_node coordinator(system, postgres_stores(url, "coordinator"), meters, coordinator_settings(s, url, advertised(s, s.grpc)));
  int code = 0;
  auto grpc = serve_grpc(s.grpc, coordinator.services(), code);
  status_server status(meters->registry);
  if (grpc && !s.metrics.empty()) {
    const auto [host, port] = host_and_port(s.metrics);
    if (const auto listening = status.start(host, port); !listening) code = refuse(listening.failure());
    else spdlog::info("metrics on http://{}:{}/metrics", host, status.port());
  }
  if (code == 0) {
    spdlog::info("gRPC on {}, reached at {}", grpc->address(), advertised(s, grpc->address()));
    wait_for_stop();
  }
  coordinator.stop(); // sessions end with a word, before the server cuts them
  if (grpc) grpc->stop();
  signals_kill();
  return code;
}

int run_worker(const node_settings& s, std::shared_ptr<process_guardian> guardian) {
  node_system_config config;
  caf::actor_system system(config);
  const auto webhooks = webhooks_of(s, {});
  if (!webhooks) return refuse(webhooks.failure());
  const auto settings = worker_settings(s, *webhooks);
  spdlog::info("worker '{}' with {} slots", settings.name, settings.hold.slots);
  worker_node worker(system, make_session_dialer(), {settings, std::move(guardian), *webhooks});
  wait_for_stop();
  worker.drain(second_signal);
  worker.stop();
  signals_kill();
  return 0;
}

} // namespace

int run_node(const node_settings& s, std::shared_ptr<process_guardian> guardian) {
  using role = node_settings::role;
  const bool needs_database = s.what == role::scheduler || s.what == role::coordinator || s.what == role::migrate;
  if (needs_database && s.database.empty()) {
    spdlog::error("no database: give --database or DATABASE_URL, for example postgresql://user:password@host/name");
    return 2;
  }
  switch (s.what) {
  case role::up: return run_up(s, std::move(guardian));
  case role::scheduler: return run_scheduler(s);
  case role::coordinator: return run_coordinator(s);
  case role::worker: return run_worker(s, std::move(guardian));
  case role::migrate: return prepare_database(s.database, std::chrono::ceil<std::chrono::milliseconds>(*parse_duration(s.wait)), stop_asked) ? 0 : 1;
  case role::none: break;
  }
  return 2;
}

} // namespace taskmaster
