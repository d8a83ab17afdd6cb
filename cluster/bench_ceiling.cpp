// The ceiling: what PostgreSQL itself does on this machine at this moment, with the same tables, the same commits and the same batch
// size, asked in the leanest SQL there is: no limits, guards, look-ups or actors.
#include "cluster/bench_figures.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

using clock = std::chrono::steady_clock;
constexpr std::size_t batch = 1'000; // as a store lane's

std::vector<std::string> new_ids(std::size_t count) {
  std::vector<std::string> ids;
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  for (std::size_t i = 0; i < count; ++i) ids.push_back(postgres::encode(uuid::make(now + std::chrono::milliseconds(i / 100))));
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// Arrays of a thousand ids each, made before the clock runs.
std::vector<postgres::parameters> batches(const std::vector<std::string>& ids) {
  std::vector<postgres::parameters> all;
  for (std::size_t begin = 0; begin < ids.size(); begin += batch) {
    postgres::array part(postgres::type::uuid);
    for (std::size_t i = begin; i < std::min(ids.size(), begin + batch); ++i) part.add_bytes(ids[i]);
    all.push_back(postgres::parameters().add(std::move(part)));
  }
  return all;
}

double timed(bench& b, const char* statement, const std::vector<postgres::parameters>& all, std::size_t rows) {
  const auto begun = clock::now();
  for (const auto& one : all) b.world.sql(statement, one);
  return static_cast<double>(rows) / std::chrono::duration<double>(clock::now() - begun).count();
}

constexpr auto insert_text = "INSERT INTO taskmaster.tasks (id, kind, run_at, created_at, payload) "
                             "SELECT u.id, 'noop', now(), now(), '\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"' FROM unnest($1::uuid[]) AS u (id)";
constexpr auto finish_text =
    "WITH gone AS (DELETE FROM taskmaster.tasks t USING unnest($1::uuid[]) AS u (id) WHERE t.id = u.id RETURNING t.*) "
    "INSERT INTO taskmaster.task_history (run_at, created_at, finished_at, timeout, retry_initial, retry_max, retry_factor, retry_jitter, fence_term, "
    "fence_sequence, id, priority, max_attempts, attempt, failures, losses, deferrals, at_most_once, queue, kind, state, payload) "
    "SELECT run_at, created_at, now(), timeout, retry_initial, retry_max, retry_factor, retry_jitter, 1, 1, id, priority, max_attempts, attempt, failures, "
    "losses, deferrals, at_most_once, queue, kind, 'succeeded', payload FROM gone";

} // namespace

double raw_insert(bench& b) {
  b.world.fresh();
  const auto rows = b.sized<std::size_t>(100'000, 5'000);
  const auto ids = batches(new_ids(rows));
  const auto rate = timed(b, insert_text, ids, rows);
  b.insert_ceiling = std::max(b.insert_ceiling, rate);
  return rate;
}

double raw_finish(bench& b) {
  b.world.fresh();
  const auto rows = b.sized<std::size_t>(100'000, 5'000);
  const auto ids = batches(new_ids(rows));
  timed(b, insert_text, ids, rows);
  const auto rate = timed(b, finish_text, ids, rows);
  b.finish_ceiling = std::max(b.finish_ceiling, rate);
  return rate;
}

void measure_ceiling(bench& b) {
  std::vector<double> inserts, finishes;
  const int runs = b.sized(3, 1);
  for (int i = 0; i < runs; ++i) {
    b.report.step("raw SQL on one connection, 1,000 rows a statement", static_cast<double>(i) / runs);
    inserts.push_back(raw_insert(b));
    finishes.push_back(raw_finish(b));
  }
  b.report.values["ceiling_runs"] = {{"insert_per_s", rounded(inserts)}, {"finish_per_s", rounded(finishes)}};
}

} // namespace taskmaster
