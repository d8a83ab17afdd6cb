// How a command's end becomes the outcome of a run: exit status, signal, or why it could not start. Pure; any thread.
#pragma once
#include "actors/child_process.hpp"
#include "actors/kept_output.hpp"
#include "actors/outcomes.hpp"
#include "actors/shell_command.hpp"

namespace taskmaster {

/// As waitid reports it: one of the two.
struct exit_report {
  std::optional<int> status;
  std::optional<int> signal;
};

/// "SIGKILL", "SIG34".
std::string signal_name(int signal);

/// {"output", "error_output", "exit_code", "signal"}, at most limits::result_bytes long.
std::string shell_result_json(const exit_report& exit, const kept_output& output, const kept_output& error_output);

/// 0 succeeded; 64 (EX_USAGE) refused; 75 (EX_TEMPFAIL) deferred; any other failed with code "exit", a signal with code "signal".
execution_result shell_outcome(const exit_report& exit, const kept_output& output, const kept_output& error_output);

/// Code "spawn": refused when the program itself is the matter, failed (so tried again) when the worker's state is.
execution_result spawn_failure(const child_fault& fault, const shell_command& command);

} // namespace taskmaster
