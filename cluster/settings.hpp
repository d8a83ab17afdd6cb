// What a node can be told, by flag, TASKMASTER_… variable or TOML file (--config), in this order of precedence. Filled by CLI11.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace taskmaster {

struct node_settings {
  enum class role : std::uint8_t { none, up, scheduler, coordinator, worker, migrate };
  role what = role::none;

  std::string database; // libpq URI
  std::string http = "127.0.0.1:8081";
  std::string grpc = "127.0.0.1:8080";
  std::string metrics;                   // coordinator: where to serve /metrics and /healthz; empty: nowhere
  std::string advertise;                 // coordinator: how others reach it
  std::string data;                      // up: the folder of its PostgreSQL
  std::vector<std::string> coordinators; // scheduler, worker
  std::vector<std::string> queues, kinds;
  std::int32_t slots = 0; // 0: the number of cores, at least 4
  std::int32_t prefetch = 0;
  std::vector<std::string> webhook_secrets, webhook_hosts; // worker: signs webhooks with these, and sends them to these only
  std::string name; // of the worker or coordinator; the host's by default
  std::string retention = "30d";
  std::string wait = "0s"; // migrate: for a database that is not there yet
  std::string log_format = "text"; // or json
  std::string log_level = "info";
};

/// Adds the node commands with their flags; parsing sets `chosen.what`. `chosen` must outlive `app`.
void add_node_commands(CLI::App& app, node_settings& chosen);

} // namespace taskmaster
