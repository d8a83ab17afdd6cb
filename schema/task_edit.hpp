// A change of a task that waits: which fields, to what; and the task as it then is. The doors read it, the leader, who alone changes
// tasks, makes it. Plain data and pure functions; any thread.
#pragma once
#include "schema/store.hpp"

#include <set>

namespace taskmaster {

/// What is not named stays.
struct task_edit {
  task_spec to;                 // holds the values of
  std::set<std::string> fields; // these: "run_at", "delay", "retry.initial", …
};

/// Whether this is a field that can be changed: of the others, some say what the task is (kind, delivery, its keys), some are read only.
bool may_be_edited(std::string_view field);
/// For sentences: what can be changed.
extern const char* const editable_fields;

/// Everything of `spec`, for a task that takes the place of a waiting one: its kind and delivery too, its unique_key not.
task_edit edit_of(task_spec spec);

/// The fields alone, as a submitted task is judged. `now` bounds run_at.
std::optional<error> validate(const task_edit& edit, timestamp now);
/// The waiting task as it shall be, judged whole; what the edit leaves alone is not judged.
expected<task_edition> edited(const task& row, const task_edit& edit, timestamp now);

} // namespace taskmaster
