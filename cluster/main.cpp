// The one binary: node commands (up, scheduler, coordinator, worker, migrate) and client commands.
#include "cluster/command_line.hpp"
#include "cluster/log.hpp"
#include "cluster/run_node.hpp"
#include "cluster/stop_signals.hpp"
#include "gateway/grpc_locks.hpp"

#include <iostream>
#include <spdlog/spdlog.h>

int main(int argc, char** argv) {
  taskmaster::spare_grpc_lock_checks();
  taskmaster::command_line line;
  if (const auto code = line.parse(argc, argv, std::cout, std::cerr)) return *code;
  if (line.client.what != taskmaster::client_request::command::none)
    return taskmaster::run_client_command(line.client, std::cin, std::cout, std::cerr);
  if (line.doctor.chosen) return taskmaster::run_doctor(line.doctor, std::cout, std::cerr);
  if (line.bench.chosen) return taskmaster::run_bench(line.bench);
  taskmaster::set_up_log(line.node.log_format, line.node.log_level);
  taskmaster::block_stop_signals();
  // Forks, so it comes before the first thread.
  auto guardian = taskmaster::start_process_guardian();
  if (!guardian) spdlog::warn("no guardian: processes that tasks start may outlive a killed worker ({})", guardian.failure().message);
  return taskmaster::run_node(line.node, guardian ? *guardian : nullptr);
}
