// The rarer properties of a task, in one column of JSON (tasks.options, NULL for most): a new one costs neither a column nor a
// parameter of the statements that every task goes through. What dispatch looks at for every task has columns of its own instead.
// Part of task_spec and task. Plain data and pure functions; any thread.
#pragma once
#include "schema/error.hpp"
#include "schema/time.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace taskmaster {

struct task_options {
  std::string schedule;                   // the schedule that submitted it,
  std::optional<timestamp> scheduled_for; // and the instant it stands for
  std::string group, ref;                 // what tasks are waited for together as, and its name in its batch
  std::optional<timestamp> due;           // of a task that waits for others: its own run_at,
  std::optional<duration> delay;          // or its delay from their end on
  std::string webhook;                    // a URL that is told of its outcome
  bool operator==(const task_options&) const = default;
};

/// Null: nothing set, as for most tasks.
using shared_options = std::shared_ptr<const task_options>;
shared_options share(const task_options& options);
/// What is set, or the defaults.
const task_options& options_of(const shared_options& options);

/// A JSON object of what is not at its default; empty when nothing is.
std::string to_json(const task_options& options);
/// Unknown names are left out: a newer release may have written them. ec::internal when it is no object of the right types.
expected<task_options> parse_options(std::string_view json);

} // namespace taskmaster
