// Starts one child process in a process group of its own, with pipes for its three standard streams. Used by process_executor on
// its own thread, which must live as long as the child (PDEATHSIG follows the thread) and must have every signal blocked.
#pragma once
#include "actors/file_descriptor.hpp"

#include <sys/types.h>

#include <string>
#include <variant>
#include <vector>

namespace taskmaster {

struct child_request {
  std::vector<std::string> programs; // tried in order until one can be executed
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string cwd;         // empty: unchanged
  bool with_input = false; // else it reads /dev/null
  int guardian = -1;       // pipe of process_guardian, or none
};

/// Our ends of the pipes do not block. The process group's id is the pid.
struct child_process {
  pid_t pid = -1;
  file_descriptor exit; // pidfd: readable when it has ended
  file_descriptor input, output, error_output;
  file_descriptor progress; // what it writes to its descriptor 3
};

/// What stood in the way, with errno.
struct child_fault {
  enum class at { resources, directory, program } where = at::resources;
  int number = 0;
};

std::variant<child_process, child_fault> start_child(const child_request& request);

} // namespace taskmaster
