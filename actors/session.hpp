// What a worker and the leading coordinator say to each other (proto/taskmaster/v1/worker.proto as plain data): the messages between
// worker and worker_proxy, whatever link carries them. Plain data, copied between threads.
#pragma once
#include "schema/task.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace taskmaster {

/// The session protocol that this build speaks. A side that meets another number refuses with a sentence.
constexpr std::uint32_t session_protocol = 1;

/// Limits on what a worker may send; past them the session is refused or ended.
namespace limits {
constexpr std::int32_t slots = 10'000;
constexpr std::size_t held = 20'000;
constexpr std::size_t result_bytes = 256u << 10;
constexpr std::size_t progress_bytes = 4u << 10;
} // namespace limits

/// A claim with the signature that it was handed out with.
struct signed_claim {
  claim what;
  std::string signature;
};

// -- up: from the worker ----------------------------------------------------------------------------------------------

struct hello {
  std::uint32_t protocol = session_protocol;
  std::string name;
  std::string incarnation;
  std::vector<std::string> queues; // empty: all
  std::vector<std::string> kinds;
  std::int32_t slots = 1;
  std::int32_t credit = 1;
  std::vector<signed_claim> held;
  std::uint64_t highest_term = 0;
};

struct task_progress {
  uuid task;
  taskmaster::fence fence;
  std::string json;                              // {"percent", "message"}; empty: as before
  std::shared_ptr<const std::string> checkpoint = {}; // JSON for the next attempt; null: as before
};

struct heartbeat {
  std::uint64_t sequence = 0;
  std::vector<task_progress> progress;
};

struct more_credit {
  std::int32_t more = 0;
};

struct started_task {
  uuid task;
  taskmaster::fence fence;
  duration ago{0};
};

struct started_tasks {
  std::vector<started_task> tasks;
};

enum class run_outcome : std::uint8_t { succeeded = 1, failed, refused, deferred, cancelled, timeout, returned };
std::string_view to_string(run_outcome o);

/// How a run ended, as the worker keeps it until it is acknowledged.
struct run_result {
  signed_claim what;
  run_outcome outcome = run_outcome::succeeded;
  std::string result; // JSON text or empty
  std::optional<task_error> failure;
  std::optional<duration> retry_after;
  std::shared_ptr<const std::string> checkpoint = {}; // the last, if no heartbeat has brought it
  duration began_ago{0}; // when this is sent; zero: it never began, or the worker does not say
};

struct finished_tasks {
  std::vector<run_result> results;
  std::int32_t credit = 0; // more_credit that goes with them: of short tasks it is half the messages
};

struct draining {};

using from_worker = std::variant<hello, heartbeat, more_credit, started_tasks, finished_tasks, draining>;

// -- down: to the worker ----------------------------------------------------------------------------------------------

struct welcome {
  std::uint64_t term = 0;
  std::string session;
  duration heartbeat_interval{0};
  duration lease{0};
  std::vector<claim> keep, drop;
  bool reads_joined = false; // credit with results, and `began_ago` for a start; coordinators of an older build do not
};

struct refused {
  std::string code; // not_leader, incompatible, invalid_argument, exhausted
  std::string message;
  std::string leader; // host:port where known
};

/// A report that says nothing, and why; what was reported before stays.
struct progress_fault {
  uuid task;
  std::string message;
};

struct heartbeat_answer {
  std::uint64_t sequence = 0;
  std::vector<progress_fault> faults = {};
};

struct assignment {
  signed_claim what;
  std::string kind, queue;
  std::shared_ptr<const std::string> payload;
  duration timeout{0};
  timestamp run_at;
  delivery_mode delivery = delivery_mode::at_least_once;
  std::shared_ptr<const std::string> checkpoint = {}; // JSON that the last run left; null: none
  duration heartbeat_timeout{0};                 // without progress for so long it is stopped; zero: no promise
};

struct assign {
  std::vector<assignment> tasks;
};

struct cancel_run {
  uuid task;
  taskmaster::fence fence;
  std::string reason;
};

struct acknowledgement {
  uuid task;
  taskmaster::fence fence;
  bool stale = false;
  std::uint64_t term = 0;
};

struct acknowledged {
  std::vector<acknowledgement> tasks;
};

struct drain_worker {
  std::string reason;
};

using to_worker = std::variant<welcome, refused, heartbeat_answer, assign, cancel_run, acknowledged, drain_worker>;

/// The coordinator's end of a link to one worker. push() never blocks and may be called on any thread; false: the link is closed or
/// its bounded queue is full (a worker that does not read), and the session is over.
class worker_link {
public:
  virtual ~worker_link() = default;
  virtual bool push(to_worker message) = 0;
  virtual void close(std::string reason) = 0;
  /// The proxy has dealt with one message of the worker's: the link may read on (a flood waits in the worker's socket, not here).
  virtual void consumed() {}
  /// For logs and `workers`: "ipv4:127.0.0.1:40412" or "in process".
  virtual std::string peer() const = 0;
};

/// The worker's end of the same link.
class coordinator_link {
public:
  virtual ~coordinator_link() = default;
  virtual bool push(from_worker message) = 0;
  virtual void close() = 0;
};

} // namespace taskmaster
