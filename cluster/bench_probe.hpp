// Workers inside the bench's own process, for what only a task itself can tell: the moment it starts. They are the worker of a worker
// node, sessions, credit and all, over gRPC; only what runs a task is ours: it reads the clock and is done.
#pragma once
#include "actors/executor_pool.hpp"
#include "actors/worker.hpp"
#include "cluster/node.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace taskmaster {

/// A task's start, as it saw it itself.
struct probed_start {
  std::chrono::system_clock::time_point at;
  uuid task;
  std::string payload;
};

class bench_probe {
public:
  /// `sessions` workers with `slots` each that serve the kinds `probe` and `noop`.
  bench_probe(const std::string& coordinator, std::size_t sessions, int slots);
  ~bench_probe();
  bench_probe(const bench_probe&) = delete;
  bench_probe& operator=(const bench_probe&) = delete;

  /// What has started since the last call.
  std::vector<probed_start> take();
  /// Waits until something has started, for so long at most.
  bool wait(std::chrono::milliseconds limit);

private:
  class clock_reader;
  node_system_config config_;
  caf::actor_system system_;
  std::shared_ptr<clock_reader> reader_;
  executors executors_;
  std::shared_ptr<coordinator_dialer> dialer_;
  std::vector<executor_pool_actor> pools_;
  std::vector<worker_actor> workers_;
};

} // namespace taskmaster
