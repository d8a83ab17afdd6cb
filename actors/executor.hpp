// The seam to what runs a task: a child process, an HTTP call, a function of this program. Used by executor_pool.
#pragma once
#include "actors/session.hpp"

#include <functional>

namespace taskmaster {

/// What a run says of itself on its way.
struct run_report {
  std::string progress;                          // {"percent", "message"} as JSON; empty: as before
  std::shared_ptr<const std::string> checkpoint; // JSON for the next attempt; null: as before
};

/// One run as an executor sees it. `run` names it within this process.
struct execution {
  std::uint64_t run = 0;
  uuid task;
  std::string kind;
  std::int32_t attempt = 1;
  std::string fence; // as text, for user code
  std::shared_ptr<const std::string> payload; // JSON text
  duration timeout{0}; // zero: none
  std::shared_ptr<const std::string> checkpoint; // JSON that the last run left; null: none
  /// May be called on any thread until `done` is; it does not block. Null: nobody listens.
  std::function<void(run_report)> report;
};

/// How it ended. codes: exit, signal, timeout, http_status, connect, cancelled, refused, payload, …
struct execution_result {
  run_outcome outcome = run_outcome::succeeded;
  std::string result; // JSON text or empty
  std::optional<task_error> failure;
  std::optional<duration> retry_after;
};

/// start() and cancel() never block and are called on the pool's thread; `done` is called exactly once, on any thread,
/// also after cancel() and for payloads that make no sense (outcome refused, code "payload").
class executor {
public:
  using done_callback = std::function<void(execution_result)>;
  virtual ~executor() = default;
  virtual void start(execution what, done_callback done) = 0;
  /// Asks a run to stop: TERM, grace, KILL for processes. No effect when it has ended.
  virtual void cancel(std::uint64_t run) = 0;
  /// Ends every run at once and waits for the executor's threads.
  virtual void stop() = 0;
};

} // namespace taskmaster
