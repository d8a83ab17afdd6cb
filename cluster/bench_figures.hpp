// The figures, one function each: what is started, what is done, what is written into the report. Each begins with a fresh world.
// They throw bench_stop when they cannot go on. Main thread.
#pragma once
#include "cluster/bench.hpp"
#include "cluster/bench_report.hpp"
#include "cluster/bench_world.hpp"

namespace taskmaster {

struct bench {
  const bench_settings& settings;
  bench_world& world;
  bench_report& report;
  double finish_ceiling = 0, insert_ceiling = 0; // the best seen so far in this run
  /// The size or time for a full run, or for `--quick`.
  template <class T>
  T sized(T full, T quick) const {
    return settings.quick ? quick : full;
  }
};

/// What each role's processor time was for one task: less moved by what else the machine does than anything by the clock.
class cpu_meter {
public:
  explicit cpu_meter(const bench& b) : bench_(b), before_(b.world.cpu()) {}
  /// Puts microseconds a task into the report's `cpu_us_per_task`, under `name`.
  void tell(const std::string& name, double tasks) const;

private:
  const bench& bench_;
  std::map<std::string, double> before_;
};

// -- bench_ceiling.cpp --
/// Rows a second that one connection inserts, in statements of a thousand; nothing of ours runs. Keeps the best in `insert_ceiling`.
double raw_insert(bench& b);
/// Rows a second that one connection moves to the history, in statements of a thousand.
double raw_finish(bench& b);
void measure_ceiling(bench& b);

// -- bench_submit.cpp --
void measure_submit_batch(bench& b);
void measure_submit_single(bench& b);

// -- bench_drain.cpp --
void measure_drain(bench& b);

// -- bench_sustained.cpp --
void measure_sustained(bench& b);
void measure_bloat(bench& b);

// -- bench_latency.cpp --
void measure_start(bench& b);
void measure_lateness(bench& b);

// -- bench_footprint.cpp --
void measure_wal(bench& b);
void measure_rss(bench& b);
void measure_idle(bench& b);
void measure_connections(bench& b);

// -- bench_crowd.cpp --
void measure_backlog(bench& b);
void measure_workers(bench& b);
void measure_priority(bench& b);
void measure_shell(bench& b);

} // namespace taskmaster
