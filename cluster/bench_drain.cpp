// Draining: tasks that are due already, none of them known to anyone when the clock starts.
#include "cluster/bench_figures.hpp"

#include <cmath>

namespace taskmaster {

void measure_drain(bench& b) {
  const auto tasks = b.sized<std::size_t>(100'000, 2'000);
  std::vector<double> runs;
  for (int i = 0, last = b.sized(3, 1); i < last; ++i) {
    b.report.step("the ceiling", 0);
    raw_finish(b);
    b.world.fresh();
    b.report.step(grouped(static_cast<double>(tasks)) + " tasks, 24 slots, prefetch 400", 0.1);
    b.world.fill(tasks, "noop", "now() - interval '1 hour' + g * interval '1 microsecond'");
    b.world.start_service();
    const cpu_meter cpu(b);
    b.world.start_worker("worker", 24);
    b.world.wait_recorded(static_cast<double>(tasks), [&](double part) { b.report.step(grouped(static_cast<double>(tasks)) + " tasks, 24 slots, prefetch 400", part); });
    if (i + 1 == last) cpu.tell("drain", static_cast<double>(tasks));
    // The database's own times, so that nobody's polling counts.
    const auto r = b.world.sql("SELECT count(*), extract(epoch FROM max(finished_at) - min(picked_at))::float8 FROM taskmaster.task_history WHERE state = 'succeeded'");
    if (r.int8(0, 0) != static_cast<std::int64_t>(tasks)) throw bench_stop("of " + std::to_string(tasks) + " tasks " + std::to_string(r.int8(0, 0)) + " succeeded");
    runs.push_back(static_cast<double>(tasks) / r.float8(0, 1));
  }
  b.report.values["drain_per_s"] = std::llround(best(runs));
  b.report.values["drain_per_s_runs"] = rounded(runs);
  b.report.row("drain_per_s", grouped(best(runs)), ">= 60 % of the finish ceiling", percent(best(runs) / b.finish_ceiling));
}

} // namespace taskmaster
