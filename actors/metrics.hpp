// What /metrics shows, one object a process. Counters and histograms of prometheus-cpp are thread-safe; anyone may add to them.
#pragma once
#include <memory>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace taskmaster {

struct metrics {
  explicit metrics(std::shared_ptr<prometheus::Registry> registry);

  std::shared_ptr<prometheus::Registry> registry;
  // scheduler
  prometheus::Counter& submitted;
  prometheus::Counter& submit_refused; // too much under way
  prometheus::Histogram& submit_seconds;
  // coordinator
  prometheus::Counter& dispatched;
  prometheus::Counter& recorded;        // outcomes committed
  prometheus::Counter& record_retries;  // batches asked again
  prometheus::Counter& stale;           // results that changed nothing
  prometheus::Counter& lost;            // runs whose worker was lost
  prometheus::Counter& announced;
  prometheus::Counter& found_by_scan;   // what an announce did not bring
  prometheus::Counter& schedules_fired;   // instants that became tasks
  prometheus::Counter& schedules_unfired; // instants that did not: paused, misfired, overlapped
  prometheus::Histogram& lateness_seconds; // hand-out after run_at
  prometheus::Gauge& leading;
  prometheus::Gauge& sessions;
  prometheus::Gauge& running;
  prometheus::Gauge& planned;           // tasks in memory
  prometheus::Gauge& tombstones;
  prometheus::Gauge& invariant_faults;  // alarm above 0: a fault of ours, the log has it
  prometheus::Gauge& history_days_ahead; // alarm below 2: tomorrow's outcomes would have no partition
};

} // namespace taskmaster
