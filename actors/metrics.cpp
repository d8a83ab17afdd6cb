#include "actors/metrics.hpp"

namespace taskmaster {
namespace {

auto& counter(prometheus::Registry& r, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(r).Add({});
}
auto& gauge(prometheus::Registry& r, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(r).Add({});
}
auto& seconds(prometheus::Registry& r, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(r).Add(
      {}, prometheus::Histogram::BucketBoundaries{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30});
}

} // namespace

metrics::metrics(std::shared_ptr<prometheus::Registry> reg)
    : registry(std::move(reg)),
      submitted(counter(*registry, "taskmaster_tasks_submitted_total", "Tasks committed by this scheduler")),
      submit_refused(counter(*registry, "taskmaster_submits_refused_total", "Submits refused because too much was under way")),
      submit_seconds(seconds(*registry, "taskmaster_submit_seconds", "From a submit's arrival to its commit")),
      dispatched(counter(*registry, "taskmaster_tasks_dispatched_total", "Assignments sent to workers")),
      recorded(counter(*registry, "taskmaster_outcomes_recorded_total", "Outcomes and retries committed")),
      record_retries(counter(*registry, "taskmaster_record_retries_total", "Outcome batches that had to be sent to the database again")),
      stale(counter(*registry, "taskmaster_results_stale_total", "Results that changed nothing because another run counts")),
      lost(counter(*registry, "taskmaster_runs_lost_total", "Runs whose worker was lost")),
      announced(counter(*registry, "taskmaster_tasks_announced_total", "Tasks that schedulers announced")),
      found_by_scan(counter(*registry, "taskmaster_tasks_found_by_scan_total", "Tasks that only the scan brought")),
      schedules_fired(counter(*registry, "taskmaster_schedule_instants_fired_total", "Instants of schedules that became tasks")),
      schedules_unfired(counter(*registry, "taskmaster_schedule_instants_unfired_total", "Instants of schedules that did not fire: paused, misfired, overlapped")),
      lateness_seconds(seconds(*registry, "taskmaster_dispatch_lateness_seconds", "From run_at to the assignment")),
      leading(gauge(*registry, "taskmaster_leading", "1 while this coordinator leads")),
      sessions(gauge(*registry, "taskmaster_worker_sessions", "Workers with a session")),
      running(gauge(*registry, "taskmaster_tasks_running", "Tasks handed out and not settled")),
      planned(gauge(*registry, "taskmaster_plan_tasks", "Tasks in the plan's windows")),
      tombstones(gauge(*registry, "taskmaster_plan_tombstones", "Tasks remembered as changed a moment ago")),
      invariant_faults(gauge(*registry, "taskmaster_invariant_faults", "1 when the plan's count of itself failed in the last minute; must be 0")),
      history_days_ahead(gauge(*registry, "taskmaster_history_days_ahead", "Days from today on that have a history partition")) {}

} // namespace taskmaster
