// The rows of a batch as graphs: which rows belong together because one waits for another, and what is wrong with that. A graph is taken
// or refused whole. Used by the doors, which tell the faults, and by the scheduler, which stores each graph in one transaction. Pure.
#pragma once
#include "schema/store.hpp"

#include <vector>

namespace taskmaster {

/// The graphs among these rows, each the indexes of its rows; a row that waits for nothing and is not waited for is in none. Adds to
/// `refused` (one place a row): unknown refs, refs that are there twice, cycles with their names, more than limits::edges; and
/// whoever is in one graph with a refused row. Graphs with a refused row are left out.
std::vector<std::vector<std::size_t>> arrange(const std::vector<task_spec>& specs, std::vector<std::optional<error>>& refused);

/// The edges of a graph whose rows have ids, in the order of `rows`: refs become the ids of their rows; groups stay, for those of their
/// tasks that are stored already, beside an edge to each member among the rows. Only for what arrange() took.
void resolve(std::vector<new_task>& rows);

/// Several graphs, one after the other in `rows` (`sizes`: how many rows each has), in as few calls as it takes: all in one, and when that
/// is refused, halves, until the graphs at fault are alone. Blocks for about `limit`; what was not tried by then is refused.
expected<std::vector<inserted>> insert_graphs(task_store& store, const std::vector<new_task>& rows, const std::vector<std::size_t>& sizes,
                                              task_store::timeout limit);

/// What is wrong with a graph that only the store can see.
error unknown_parent(const task_spec& row, const uuid& parent);
error too_many_edges();

/// What is stored of a task that waits: due never, its own time kept in the options until those it waits for have ended.
task_spec held_back(task_spec spec);
/// When it is due, once nothing is waited for.
timestamp due_after_wait(const task_options& options, timestamp now);

/// An unfinished task that waits for others: its run_at is the end of time.
inline bool waits(const task& t) { return t.run_at == timestamp::max(); }

/// The end that is decided for a task because of one it waited for; the leader finishes it instead of running it. The store writes it
/// into the row's `reason`.
struct fate {
  task_state state = task_state::cancelled;
  std::string detail;
};
std::optional<fate> fate_of(const task& t);
/// What to write. `parent_state` is empty for a parent that history does not have any more.
std::string fate_reason(task_state state, const uuid& parent, std::string_view parent_state);

} // namespace taskmaster
