#include "actors/shell_result.hpp"

#include <nlohmann/json.hpp>
#include <sysexits.h>

#include <cerrno>
#include <cstring>

namespace taskmaster {

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal)) return std::string("SIG") + name;
  return "SIG" + std::to_string(signal);
}

std::string shell_result_json(const exit_report& exit, const kept_output& output, const kept_output& error_output) {
  nlohmann::json json;
  json["output"] = output.text();
  json["error_output"] = error_output.text();
  json["exit_code"] = exit.status ? nlohmann::json(*exit.status) : nlohmann::json();
  json["signal"] = exit.signal ? nlohmann::json(signal_name(*exit.signal)) : nlohmann::json();
  auto text = json.dump();
  if (text.size() <= limits::result_bytes) return text;
  // Mostly control characters, six bytes each in JSON: keep less.
  constexpr std::size_t each = (limits::result_bytes - 1024) / 2;
  json["output"] = output.text(each);
  json["error_output"] = error_output.text(each);
  return json.dump();
}

execution_result shell_outcome(const exit_report& exit, const kept_output& output, const kept_output& error_output) {
  const auto with_last_line = [&](std::string message) {
    const auto line = error_output.last_line();
    return line.empty() ? message : message + ": " + line;
  };
  execution_result r;
  if (exit.signal) {
    r = failed_with("signal", with_last_line("ended by " + signal_name(*exit.signal)));
  } else if (const int status = exit.status.value_or(0); status != 0) {
    const auto text = "exit status " + std::to_string(status);
    if (status == EX_USAGE)
      r = refused_with("exit", with_last_line(text + " (EX_USAGE, which forbids a retry)"));
    else
      r = failed_with("exit", with_last_line(status == EX_TEMPFAIL ? text + " (EX_TEMPFAIL, ask me later)" : text));
    if (status == EX_TEMPFAIL) r.outcome = run_outcome::deferred;
  }
  r.result = shell_result_json(exit, output, error_output);
  return r;
}

execution_result spawn_failure(const child_fault& fault, const shell_command& command) {
  const std::string reason = std::strerror(fault.number);
  if (fault.where == child_fault::at::directory)
    return failed_with("spawn", clean_text("cannot enter " + command.cwd + ": " + reason
                                           + "; create it on the worker or correct /cwd"));
  if (fault.where == child_fault::at::resources)
    return failed_with("spawn", "the worker cannot start a process: " + reason
                                    + "; raise its limits of processes and open files, or give it fewer slots");
  const auto program = clean_text(command.argv[0]);
  switch (fault.number) {
  case ENOENT:
    return refused_with("spawn", "there is no program " + program + " on this worker; install it or correct the payload");
  case EACCES:
    return refused_with("spawn", program + " may not be executed by the worker; check its permissions");
  case ENOEXEC:
    return refused_with("spawn", program + " is no executable; a script needs a first line such as #!/bin/sh");
  case E2BIG:
    return refused_with("spawn", "arguments and environment are too long for the system; hand data over by /stdin");
  default: return failed_with("spawn", "cannot execute " + program + ": " + reason);
  }
}

} // namespace taskmaster
