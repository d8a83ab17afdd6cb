#include "schema/postgres_queries.hpp"

#include "schema/embedded_sql.hpp"

#include <cstdlib>
#include <map>

namespace taskmaster::postgres {

namespace {

constexpr std::string_view task_list =
    "t.id, t.queue, t.kind, t.priority, t.run_at, t.created_at, t.payload, t.timeout, t.expires_at, "
    "t.max_attempts, t.retry_initial, t.retry_factor, t.retry_max, t.retry_jitter, t.at_most_once, "
    "t.unique_key, t.concurrency_key, t.attempt, t.failures, t.losses, t.deferrals, t.marked_term, "
    "t.marked_sequence, t.reason, t.options";
/// Asked once a statement, whether there are any at all: a look for each of 1000 rows costs 4 ms.
constexpr std::string_view checkpoint_column =
    "CASE WHEN EXISTS (SELECT FROM taskmaster.checkpoints) THEN (SELECT c.data FROM taskmaster.checkpoints c WHERE c.task_id = t.id) END";
constexpr std::string_view unfinished_list =
    "t.labels, CASE WHEN t.run_at <= clock_timestamp() THEN 'ready' ELSE 'scheduled' END, NULL::timestamptz, "
    "NULL::timestamptz, "
    "NULL::timestamptz, NULL::text, coalesce(t.marked_term, 0), coalesce(t.marked_sequence, 0), NULL::bytea, "
    "NULL::text, NULL::text, t.reason, coalesce(t.waits_for, 0)";
constexpr std::string_view finished_list =
    "t.labels, t.state, t.picked_at, t.started_at, t.finished_at, t.worker, t.fence_term, "
    "t.fence_sequence, t.result, t.error_code, t.error_message, t.reason, 0";

void fill(std::string& text, std::string_view place, std::string_view columns) {
  for (std::size_t at; (at = text.find(place)) != text.npos;) text.replace(at, place.size(), columns);
}

using texts = std::map<std::string, std::string, std::less<>>;

texts read_queries() {
  constexpr std::string_view folder = "queries/", ending = ".sql";
  texts found;
  for (const auto& file : embedded_sql())
    if (file.name.starts_with(folder)) {
      auto name = file.name.substr(folder.size());
      name.remove_suffix(ending.size());
      found.emplace(name, with_columns(std::string(file.text)));
    }
  return found;
}

fence read_fence(const rows& r, int row, int column) {
  return {static_cast<std::uint64_t>(r.int8(row, column)),
          static_cast<std::uint64_t>(r.int8(row, column + 1))};
}

/// NULL: as every task that says nothing else.
void read_retry(retry_policy& policy, const rows& r, int row, int first) {
  if (!r.null(row, first)) policy.initial = r.interval(row, first);
  if (!r.null(row, first + 1)) policy.factor = r.float8(row, first + 1);
  if (!r.null(row, first + 2)) policy.max = r.interval(row, first + 2);
  if (!r.null(row, first + 3)) policy.jitter = r.float8(row, first + 3);
}

} // namespace

std::string with_columns(std::string text) {
  const auto task = std::string(task_list) + ", ", checkpoint = std::string(checkpoint_column);
  fill(text, "{task}", task + "NULL::bytea");
  fill(text, "{planned}", task + checkpoint);
  // A scan meets every row that was inserted; one that has not run yet has no checkpoint to look for.
  fill(text, "{scanned}", task + "CASE WHEN t.attempt > 1 OR t.losses > 0 THEN " + checkpoint + " END");
  fill(text, "{unfinished}", unfinished_list);
  fill(text, "{finished}", finished_list);
  return text;
}

const std::string& query(std::string_view name) {
  static const texts all = read_queries();
  auto at = all.find(name);
  if (at == all.end())
    std::abort(); // a name that no file has is a slip of the pen; any test of the call finds it
  return at->second;
}

task read_task(const rows& r, int row, int first) {
  auto column = first;
  task t;
  t.id = r.uuid(row, column++);
  t.queue = r.text(row, column++);
  t.kind = r.text(row, column++);
  t.priority = r.int4(row, column++);
  t.run_at = r.timestamp(row, column++);
  t.created_at = r.timestamp(row, column++);
  t.payload = std::make_shared<const std::string>(r.text(row, column++));
  t.timeout = r.interval(row, column++); // NULL: none
  t.expires_at = r.maybe_timestamp(row, column++);
  t.max_attempts = r.int4(row, column++);
  read_retry(t.retry, r, row, column);
  column += 4;
  t.delivery = r.boolean(row, column++) ? delivery_mode::at_most_once : delivery_mode::at_least_once;
  t.unique_key = r.text(row, column++);
  t.concurrency_key = r.text(row, column++);
  t.attempt = r.int4(row, column++);
  t.failures = r.int4(row, column++);
  t.losses = r.int4(row, column++);
  t.deferrals = r.int4(row, column++);
  t.marked = read_fence(r, row, column);
  column += 2;
  t.reason = r.text(row, column++);
  t.options = r.options(row, column++);
  if (t.unique_key.empty()) t.unique_key = options_of(t.options).period_key;
  if (!r.null(row, column)) t.checkpoint = std::make_shared<const std::string>(r.text(row, column));
  return t;
}

task_record read_record(const rows& r, int row, int first) {
  task_record found;
  found.task = read_task(r, row, first);
  auto column = first + task_columns;
  found.labels = r.labels(row, column++);
  found.state = parse_state(r.text(row, column++)).value_or(task_state::failed);
  found.picked_at = r.maybe_timestamp(row, column++);
  found.started_at = r.maybe_timestamp(row, column++);
  found.finished_at = r.maybe_timestamp(row, column++);
  found.worker = r.text(row, column++);
  found.fence = read_fence(r, row, column);
  column += 2;
  found.result = r.text(row, column++);
  if (!r.null(row, column)) found.error = task_error{r.text(row, column), r.text(row, column + 1)};
  found.reason = r.text(row, column + 2);
  found.waits_for = r.int4(row, column + 3);
  return found;
}

} // namespace taskmaster::postgres
