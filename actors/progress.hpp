// What runs say of themselves, read strictly: progress {"percent", "message"}, a checkpoint for the next attempt, and when to come back.
// The process executor reads lines of commands, the worker proxy what gRPC workers send. Pure; any thread.
#pragma once
#include "actors/executor.hpp"

#include <string_view>

namespace taskmaster {

namespace limits {
constexpr std::size_t progress_message = 1'000;
constexpr std::size_t progress_line = checkpoint_bytes + 4'096; // of a command
} // namespace limits

struct progress_line {
  run_report said;
  std::optional<duration> retry_after; // for an end with exit status 75, or a failure
};

/// One line of a command: "40", "40 half of it", or {"percent", "message", "checkpoint", "retry_after"}, of which any may be left out.
/// ec::invalid_argument or ec::too_large with a sentence.
expected<progress_line> read_progress_line(std::string_view line);

/// {"percent", "message"} as it is shown. Else a sentence with the limit.
expected<std::string> read_progress(std::string_view json);
/// Whether this may be a checkpoint: JSON of at most 64 KiB.
std::optional<error> judge_checkpoint(std::string_view json);

} // namespace taskmaster
