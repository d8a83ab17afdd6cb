// What a task is: what a client asks for, what is remembered, the public states and the moves between them.
// Used by every room. Plain data and pure functions; any thread.
#pragma once
#include "schema/after.hpp"
#include "schema/fence.hpp"
#include "schema/task_options.hpp"
#include "schema/time.hpp"
#include "schema/uuid.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

enum class task_state : std::uint8_t { scheduled, ready, running, succeeded, failed, cancelled, expired };

std::string_view to_string(task_state s);
std::optional<task_state> parse_state(std::string_view text);
constexpr bool finished(task_state s) { return s >= task_state::succeeded; }
/// The table of legal moves; ARCHITECTURE.md draws it.
bool may_move(task_state from, task_state to);

enum class delivery_mode : std::uint8_t { at_least_once, at_most_once };
std::string_view to_string(delivery_mode d);
std::optional<delivery_mode> parse_delivery(std::string_view text);

/// The wait before attempt n+1 is initial * factor^(failures-1), at most max, plus up to `jitter` of itself.
struct retry_policy {
  duration initial = std::chrono::seconds(1);
  double factor = 2;
  duration max = std::chrono::minutes(10);
  double jitter = 0.1;
  bool operator==(const retry_policy&) const = default;
};

/// The limits that api.md promises; told when hit.
namespace limits {
constexpr std::size_t payload_bytes = 1u << 20;
constexpr std::size_t body_bytes = 16u << 20;
constexpr std::size_t batch = 10'000;
constexpr std::size_t labels = 32;
constexpr std::size_t label_key = 64;
constexpr std::size_t label_value = 256;
constexpr std::size_t name = 64;         // kind, queue
constexpr std::size_t key = 256;         // unique_key, Idempotency-Key, concurrency_key
constexpr std::int32_t attempts = 1'000; // max_attempts
constexpr std::int32_t priority = 9;
constexpr std::size_t after = 10'000;  // what one task waits for
constexpr std::size_t edges = 100'000; // of the graphs of one request
constexpr std::size_t output_bytes = 64u << 10;
constexpr std::size_t page = 1'000;
constexpr std::size_t page_bytes =
    4'000'000; // of a page of tasks, so that it fits a gRPC message; one task always does
constexpr duration horizon = std::chrono::hours(24 * 3653); // run_at within 10 years
constexpr duration timeout = std::chrono::hours(24 * 30);
constexpr duration heartbeat_timeout_least = std::chrono::seconds(1); // reports travel with the heartbeats, every half second
constexpr std::size_t checkpoint_bytes = 64u << 10;
} // namespace limits

/// What a client asks for, whichever door it came through. `validate` judges it.
struct task_spec {
  std::string kind;
  std::string payload = "null"; // JSON text
  std::string queue = "default";
  std::optional<timestamp> run_at;
  std::optional<duration> delay;
  std::int32_t priority = 0;
  duration timeout{0}; // zero: none
  std::optional<timestamp> expires_at;
  std::int32_t max_attempts = 5;
  retry_policy retry;
  delivery_mode delivery = delivery_mode::at_least_once;
  std::string unique_key;
  std::string idempotency_key;
  std::string concurrency_key;
  std::map<std::string, std::string> labels;
  std::vector<awaited> after;
  task_options options;
};

/// Every fault of a spec as (JSON pointer, sentence), and whether the form (400) or a limit (422, 413) is at
/// fault. Nothing when it is good. `now` bounds run_at.
std::optional<error> validate(const task_spec& spec, timestamp now);

/// [a-z0-9_.-]{1,64}: kinds and queues.
bool valid_name(std::string_view name);

/// UTF-8 without NUL: what a text column of the database takes.
bool storable_text(std::string_view text);

/// The SHA-256 of everything in a spec that an Idempotency-Key has to find unchanged.
std::string fingerprint(const task_spec& spec);

/// An unfinished task as the database keeps it and as the coordinator plans with it.
/// (attempt, losses) together are the row's version: every change of the leader makes the pair greater, or
/// removes the row.
struct task {
  uuid id;
  std::string queue = "default";
  std::string kind;
  std::int32_t priority = 0;
  timestamp run_at;                           // of the next attempt; the database's clock
  timestamp created_at;                       // the database's clock
  std::shared_ptr<const std::string> payload; // JSON text; never null once stored
  duration timeout{0};
  std::optional<timestamp> expires_at;
  std::int32_t max_attempts = 5;
  retry_policy retry;
  delivery_mode delivery = delivery_mode::at_least_once;
  std::string unique_key;
  std::string concurrency_key;
  std::int32_t attempt = 1;   // number of the attempt that runs next or is running
  std::int32_t failures = 0;  // attempts burned since it was submitted or retried by hand
  std::int32_t losses = 0;    // runs whose worker was lost
  std::int32_t deferrals = 0; // "ask me later" in a row (exit 75)
  fence marked;               // at_most_once: the fence it was marked with before dispatch
  std::string reason;         // why it waits again: "retry", "lost", "deferred"; else empty
  shared_options options;     // null for most
  std::shared_ptr<const std::string> checkpoint; // JSON that its last run left for the next; null for most
};

/// (attempt, losses) compared as a version.
struct task_version {
  std::int32_t attempt = 0;
  std::int32_t losses = 0;
  auto operator<=>(const task_version&) const = default;
};
inline task_version version_of(const task& t) { return {t.attempt, t.losses}; }

/// An error that a run ended with. Codes: exit, signal, timeout, http_status, connect, lost, cancelled,
/// refused, …
struct task_error {
  std::string code;
  std::string message;
  bool operator==(const task_error&) const = default;
};

/// What people read: the task with what is known of its runs and outcome.
struct task_record {
  taskmaster::task task;
  std::map<std::string, std::string> labels;
  task_state state = task_state::scheduled;
  std::string reason;
  std::optional<timestamp> picked_at, started_at, finished_at;
  std::string worker;
  taskmaster::fence fence;
  std::string progress; // JSON text or empty
  std::string result;   // JSON text or empty
  std::optional<task_error> error;
  std::int32_t waits_for = 0; // tasks that it waits for still,
  std::vector<edge> after;    // and of one task that was asked for, the first of them
};

/// One run of a task, as `attempts` lists it.
struct attempt_record {
  std::int32_t attempt = 0;
  std::int32_t losses = 0;
  taskmaster::fence fence;
  std::string worker;
  std::optional<timestamp> picked_at, started_at, finished_at;
  std::string outcome; // succeeded, failed, lost, deferred, cancelled
  std::string reason;
  std::optional<task_error> error;
};

} // namespace taskmaster
