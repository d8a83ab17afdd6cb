// Ends the worker's processes when the worker itself is killed: PDEATHSIG reaches a command only, not what it has started. A tiny
// process that reads process groups from a pipe and, when the pipe's other end is gone, kills those still named.
#pragma once
#include "actors/file_descriptor.hpp"
#include "schema/error.hpp"

#include <sys/types.h>

#include <memory>

namespace taskmaster {

/// The worker's end. Dropping it ends the guardian, which kills what is still registered. Any thread.
class process_guardian {
public:
  process_guardian(file_descriptor pipe, pid_t pid) : pipe_(std::move(pipe)), pid_(pid) {}

  /// Takes pid_t records of four bytes each: +group to watch, -group to forget. The child writes its own before it executes anything.
  int pipe() const { return pipe_.number(); }
  /// The group's last process is gone, or its leader not yet reaped: afterwards the number may belong to others.
  void forget(pid_t group) const;
  pid_t pid() const { return pid_; }

private:
  file_descriptor pipe_;
  pid_t pid_;
};

/// Call at the very start of main, before any thread exists, since it forks; ec::internal when it is too late, ec::exhausted when
/// there can be no further process. Executors work without one, then PDEATHSIG alone protects.
expected<std::shared_ptr<process_guardian>> start_process_guardian();

} // namespace taskmaster
