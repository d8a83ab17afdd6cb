// The payload of kind `shell` as a command: {"command"} for /bin/sh, or {"argv"}, with env, cwd and stdin. Pure; any thread.
#pragma once
#include "actors/executor.hpp"

#include <map>
#include <string>
#include <vector>

namespace taskmaster {

struct shell_command {
  std::vector<std::string> argv; // never empty
  std::map<std::string, std::string> env;
  std::string cwd;   // empty: the worker's own
  std::string input; // for its standard input
};

/// ec::invalid_argument with the field's name when the payload makes no sense.
expected<shell_command> parse_shell_payload(std::string_view payload);

/// The variables a command sees: `inherited` ("NAME=value"), then the payload's, then TASKMASTER_TASK_ID, _ATTEMPT, _FENCE,
/// _PROGRESS (where to write progress) and _CHECKPOINT (if the last attempt left one), later ones in place of earlier.
std::vector<std::string> shell_environment(const std::vector<std::string>& inherited, const shell_command& command,
                                           const execution& run);

/// Where to look for argv[0], in order: itself if it has a slash, else each directory of PATH in `environment`.
std::vector<std::string> program_candidates(const std::string& program, const std::vector<std::string>& environment);

} // namespace taskmaster
