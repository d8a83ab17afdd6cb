// What a task waits for, as JSON: `after`, read strictly and written. Part of task_json. Pure; any thread.
#pragma once
#include "gateway/json_view.hpp"
#include "gateway/json_writer.hpp"
#include "schema/error.hpp"
#include "schema/task.hpp"

#include <vector>

namespace taskmaster {

/// ["id or ref", {"ref" or "group", "on", "else"}]; `at` is the array's pointer.
std::vector<awaited> read_after(const std::string& at, const json_view& value, std::vector<field_fault>& faults);

/// `waits_for`, how many, and `after`: which, or null where only the number was read.
void write_after(json_writer& out, const task_record& record);

} // namespace taskmaster
