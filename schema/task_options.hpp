// The rarer properties of a task, in one column of JSON (tasks.options, NULL for most): a new one costs neither a column nor a
// parameter of the statements that every task goes through. What dispatch looks at for every task has columns of its own instead.
// Part of task_spec and task. Plain data and pure functions; any thread.
#pragma once
#include "schema/error.hpp"
#include "schema/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace taskmaster {

/// Until when a unique_key is held, and what becomes of a task that finds it held.
enum class unique_scope : std::uint8_t { until_finished, while_waiting, for_period };
enum class unique_policy : std::uint8_t { return_first, replace, refuse };
std::string_view to_string(unique_scope s);
std::string_view to_string(unique_policy p);
std::optional<unique_scope> parse_unique_scope(std::string_view text);
std::optional<unique_policy> parse_unique_policy(std::string_view text);

struct task_options {
  duration heartbeat_timeout{0}; // without progress for so long it is stopped; zero: it promises none
  unique_scope scope = unique_scope::until_finished;
  unique_policy policy = unique_policy::return_first;
  duration unique_period{0}; // with for_period
  std::string period_key;    // the unique_key of for_period: the end of the task does not free it, as it does the column's
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
