// The verbs of postgres_store, one file each; postgres_store.cpp strings them together. A deadline is of the
// whole call.
#pragma once
#include "schema/postgres_connection.hpp"
#include "schema/store.hpp"

#include <set>

namespace taskmaster::postgres {

/// What one statement carries at most: group commits gain nothing beyond, and a late answer would stall
/// everything behind it.
constexpr std::size_t statement_rows = 1'000;
constexpr std::size_t statement_bytes = 4u << 20;

expected<std::vector<inserted>> insert_tasks(connection& db, std::set<std::string>& known_queues,
                                             const std::vector<new_task>& wanted, steady_time deadline);
expected<task_page> list_tasks(connection& db, const task_filter& filter, steady_time deadline);
expected<recorded> record_changes(connection& db, std::uint64_t term, const std::vector<task_change>& changes,
                                  steady_time deadline);
expected<task_store::upkeep> maintain_history(connection& db, duration retention, steady_time deadline);

/// An earliest finished_at for the rows of that id: no task is finished before it is made, but clocks may
/// disagree by a day.
timestamp finished_after(const uuid& id);

} // namespace taskmaster::postgres
