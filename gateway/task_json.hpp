// Tasks as JSON: a submitted task read strictly, field by field, and a record written as clients see it (the names and rules are
// the "A task" of the API). Used by the HTTP gateway. Pure; any thread.
#pragma once
#include "gateway/json_view.hpp"
#include "gateway/json_writer.hpp"
#include "schema/task_edit.hpp"

#include <string>

namespace taskmaster {

/// Reads and validates. ec::invalid_argument with every fault of form (types, unknown fields, unreadable times and durations), each
/// with a pointer from the task's root; only when the form is right, the rules of `validate`. `now` bounds run_at.
/// null stands for "not given", except as payload, where it is a value.
/// `seen`, when given, gets what could be read of a task that is refused: of a batch's row the names that others wait for.
expected<task_spec> read_task(const json_view& json, timestamp now, task_spec* seen = nullptr);

/// The body of PATCH /v1/tasks/{id}: what is not named stays, null is the default. A field that cannot be changed is told from one that does
/// not exist.
expected<task_edit> read_edit(const json_view& json, timestamp now);

/// What a reader makes of a task it has read: the faults of its form, with the rules that the readable fields break told in the
/// same answer; of an unreadable field its form is enough. The reader of protobuf (task_proto) ends here too.
expected<task_spec> judge_read(task_spec spec, std::vector<field_fault> faults, std::optional<error> broken);

/// A task just stored, as a record: it waits.
task_record record_of(const task& stored, const std::map<std::string, std::string>& labels);

/// The members of a record, for callers that add their own.
void write_task_fields(json_writer& out, const task_record& record);
void write_task(json_writer& out, const task_record& record);
void write_attempt(json_writer& out, const attempt_record& attempt);

/// A task that waits is run next at run_at; anything else has no next attempt.
std::optional<timestamp> next_attempt_at(const task_record& record);

} // namespace taskmaster
