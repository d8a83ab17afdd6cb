// The verbs of postgres_store, one file each; postgres_store.cpp strings them together. A deadline is of the
// whole call.
#pragma once
#include "schema/postgres_connection.hpp"
#include "schema/store.hpp"

#include <set>
#include <span>

namespace taskmaster::postgres {

/// What one statement carries at most: group commits gain nothing beyond, and a late answer would stall
/// everything behind it.
constexpr std::size_t statement_rows = 1'000;
constexpr std::size_t statement_bytes = 4u << 20;

expected<std::vector<inserted>> insert_tasks(connection& db, std::set<std::string>& known_queues,
                                             const std::vector<new_task>& wanted, steady_time deadline);
expected<std::vector<inserted>> insert_graph(connection& db, std::set<std::string>& known_queues,
                                             const std::vector<new_task>& rows, steady_time deadline);
/// The arrays that every statement that stores tasks begins with.
parameters insert_arguments(const std::vector<new_task>& wanted, std::span<const std::size_t> rows, bool with_keys);
/// After the tasks: a name that could not be noted is noted by the next upkeep, so a failure here is none of the caller's.
void note_queues(connection& db, std::set<std::string>& known_queues, const std::vector<new_task>& wanted,
                 const std::vector<inserted>& answers, steady_time deadline);
expected<std::vector<edge>> read_awaits(connection& db, const uuid& id, std::size_t most, steady_time deadline);
expected<follow_up_page> follow_up_ends(connection& db, std::uint64_t term, std::size_t most, steady_time deadline);
expected<task_page> list_tasks(connection& db, const task_filter& filter, steady_time deadline);
expected<recorded> record_changes(connection& db, std::uint64_t term, const std::vector<task_change>& changes,
                                  steady_time deadline);
expected<std::optional<task>> edit_task(connection& db, std::uint64_t term, const task_edition& what,
                                        steady_time deadline);
expected<done> write_checkpoints(connection& db, std::uint64_t term, const std::vector<kept_checkpoint>& all,
                                 steady_time deadline);
expected<std::vector<queue_settings>> read_settings(connection& db, steady_time deadline);
expected<done> write_settings(connection& db, std::uint64_t term, const queue_settings& settings,
                              steady_time deadline);
expected<window_page> load_past(connection& db, const bucket_key& bucket, const window_mark& after,
                                std::size_t rows, std::size_t bytes, const std::set<std::string>& keys,
                                std::size_t walk, steady_time deadline);
expected<std::vector<window_page>> load_keys(connection& db, const std::vector<key_window>& windows,
                                             std::size_t rows, std::size_t bytes, steady_time deadline);
expected<schedule_page> read_schedules(connection& db, const std::string& cursor, std::size_t most,
                                       const std::optional<std::string>& only, steady_time deadline);
expected<ledger_page> read_ledger(connection& db, const std::string& name, const std::string& cursor,
                                  std::size_t most, steady_time deadline);
expected<std::map<std::string, std::vector<uuid>>>
read_unfinished(connection& db, const std::vector<std::string>& schedules, steady_time deadline);
expected<schedule_record> write_schedule(connection& db, std::uint64_t term, const schedule_record& record,
                                         steady_time deadline);
expected<done> delete_schedule(connection& db, std::uint64_t term, const std::string& name,
                               steady_time deadline);
expected<std::vector<fired_schedule>> fire_schedules(connection& db, std::uint64_t term,
                                                     const std::vector<schedule_firing>& firings,
                                                     steady_time deadline);
expected<task_store::upkeep> maintain_history(connection& db, duration retention, steady_time deadline);

/// An earliest finished_at for the rows of that id: no task is finished before it is made, but clocks may
/// disagree by a day.
timestamp finished_after(const uuid& id);

} // namespace taskmaster::postgres
