// A client that keeps a bounded number of unfinished tasks under way: batches of 250 over gRPC, at most four calls at a time. What is
// finished it reads off the coordinator's metrics. Main thread.
#pragma once
#include "cluster/bench_world.hpp"

#include <functional>
#include <memory>

namespace taskmaster {

class bench_stream {
public:
  bench_stream(bench_world& world, std::size_t depth);
  ~bench_stream();
  bench_stream(const bench_stream&) = delete;
  bench_stream& operator=(const bench_stream&) = delete;

  /// Goes on for so long; the tasks finished a second. Between two calls the work under way ends.
  double run(std::chrono::milliseconds time, const std::function<void(double)>& progress);
  /// The most unfinished tasks that there were, as far as it knew.
  std::size_t deepest() const;

private:
  class calls;
  bench_world& world_;
  const std::size_t depth_;
  std::shared_ptr<calls> calls_;
};

} // namespace taskmaster
