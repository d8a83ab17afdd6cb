// Rows of `tasks` and `task_history` as our structs: the column lists and who reads them, side by side. Used by postgres_store.
#pragma once
#include "schema/postgres_wire.hpp"

namespace taskmaster::postgres {

/// What task_of() reads, from column 0 on.
inline constexpr const char* task_columns =
    "id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts, retry_initial, retry_factor, retry_max, "
    "retry_jitter, at_most_once, coalesce(unique_key, ''), coalesce(concurrency_key, ''), attempt, failures, losses, deferrals, "
    "coalesce(marked_term, 0), coalesce(marked_sequence, 0), coalesce(reason, '')";
/// What record_of() reads beyond: of a row of tasks, and of one of task_history.
inline constexpr const char* waiting_columns =
    ", labels, CASE WHEN run_at <= clock_timestamp() THEN 'ready' ELSE 'scheduled' END, 0::bigint, 0::bigint, NULL::timestamptz, "
    "NULL::timestamptz, NULL::timestamptz, ''::text, NULL::text, NULL::text, NULL::bytea";
inline constexpr const char* finished_columns =
    ", labels, state, fence_term, fence_sequence, picked_at, started_at, finished_at, coalesce(worker, ''), error_code, error_message, result";

task task_of(const row& r);
task_record record_of(const row& r);
std::string labels_json(const std::map<std::string, std::string>& labels);

} // namespace taskmaster::postgres
