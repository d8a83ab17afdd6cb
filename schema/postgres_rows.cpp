#include "schema/postgres_rows.hpp"

#include <nlohmann/json.hpp>

namespace taskmaster::postgres {

std::string labels_json(const std::map<std::string, std::string>& labels) {
  return labels.empty() ? "" : nlohmann::json(labels).dump();
}

task task_of(const row& r) {
  task t;
  t.id = r.id(0);
  t.queue = r.text(1);
  t.kind = r.text(2);
  t.priority = static_cast<std::int32_t>(r.integer(3));
  t.run_at = r.time(4);
  t.created_at = r.time(5);
  t.payload = std::make_shared<const std::string>(r.text(6));
  t.timeout = r.span(7);
  t.expires_at = r.maybe_time(8);
  t.max_attempts = static_cast<std::int32_t>(r.integer(9));
  t.retry = {r.span(10), r.real(11), r.span(12), r.real(13)};
  t.delivery = r.boolean(14) ? delivery_mode::at_most_once : delivery_mode::at_least_once;
  t.unique_key = r.text(15);
  t.concurrency_key = r.text(16);
  t.attempt = static_cast<std::int32_t>(r.integer(17));
  t.failures = static_cast<std::int32_t>(r.integer(18));
  t.losses = static_cast<std::int32_t>(r.integer(19));
  t.deferrals = static_cast<std::int32_t>(r.integer(20));
  t.marked = {static_cast<std::uint64_t>(r.integer(21)), static_cast<std::uint64_t>(r.integer(22))};
  t.reason = r.text(23);
  return t;
}

task_record record_of(const row& r) {
  task_record out;
  out.task = task_of(r);
  out.reason = out.task.reason;
  if (!r.null(24))
    for (const auto& [key, value] : nlohmann::json::parse(r.json(24), nullptr, false).items())
      if (value.is_string()) out.labels[key] = value.get<std::string>();
  out.state = parse_state(r.text(25)).value_or(task_state::scheduled);
  out.fence = {static_cast<std::uint64_t>(r.integer(26)), static_cast<std::uint64_t>(r.integer(27))};
  out.picked_at = r.maybe_time(28);
  out.started_at = r.maybe_time(29);
  out.finished_at = r.maybe_time(30);
  out.worker = r.text(31);
  if (!r.null(32)) out.error = task_error{r.text(32), r.text(33)};
  out.result = r.text(34);
  return out;
}

} // namespace taskmaster::postgres
