// The one binary: node commands (up, scheduler, coordinator, worker, migrate) and client commands.
#include "cluster/bench.hpp"
#include "cluster/client_commands.hpp"
#include "cluster/doctor.hpp"
#include "cluster/log.hpp"
#include "cluster/run_node.hpp"
#include "gateway/grpc_locks.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <spdlog/spdlog.h>

int main(int argc, char** argv) {
  taskmaster::spare_grpc_lock_checks();
  taskmaster::node_settings node;
  taskmaster::client_request client;
  taskmaster::doctor_options doctor;
  taskmaster::bench_settings bench;
  CLI::App app("TaskMaster: a durable task scheduler. Tasks over HTTP, gRPC or SQL; PostgreSQL remembers; workers in any language.\n"
               "Every flag is also a TASKMASTER_… variable and a key of a TOML file (--config).",
               "taskmaster");
  app.require_subcommand(0, 1);
  app.set_config("--config", "", "a TOML file; a section for each command");
  app.set_version_flag("--version", "taskmaster 0.1.0");
  taskmaster::add_node_commands(app, node);
  taskmaster::add_client_commands(app, client);
  taskmaster::add_doctor_command(app, doctor);
  taskmaster::add_bench_command(app, bench);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  if (client.what != taskmaster::client_request::command::none)
    return taskmaster::run_client_command(client, std::cin, std::cout, std::cerr);
  if (doctor.chosen) return taskmaster::run_doctor(doctor, std::cout, std::cerr);
  if (bench.chosen) return taskmaster::run_bench(bench);
  if (node.what == taskmaster::node_settings::role::none) {
    std::cerr << app.help();
    return 2;
  }
  taskmaster::set_up_log(node.log_format, node.log_level);
  taskmaster::block_stop_signals();
  // Forks, so it comes before the first thread.
  auto guardian = taskmaster::start_process_guardian();
  if (!guardian) spdlog::warn("no guardian: processes that tasks start may outlive a killed worker ({})", guardian.failure().message);
  return taskmaster::run_node(node, guardian ? *guardian : nullptr);
}
