// The texts of schema/queries by name, with the column lists that several of them share filled in, and how a
// row of those columns becomes a task. Used by postgres_store; immutable, any thread.
#pragma once
#include "schema/postgres_values.hpp"

namespace taskmaster::postgres {

/// The text of schema/queries/<name>.sql, where {task}, {planned} and {scanned} (the same with the
/// task's checkpoint), {unfinished} and {finished} stand for the columns below.
const std::string& query(std::string_view name);
/// Fills the column lists into any text.
std::string with_columns(std::string text);

/// How many columns {task} is, and {unfinished} and {finished} are.
constexpr int task_columns = 26;
constexpr int outcome_columns = 13;

/// Reads {task} or {planned} from column `first` on.
task read_task(const rows& r, int row, int first);
/// Reads {task} and {finished} or {unfinished} from column `first` on.
task_record read_record(const rows& r, int row, int first);

} // namespace taskmaster::postgres
