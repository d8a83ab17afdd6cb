// The client commands of the binary: submit, get, list, wait, cancel, retry, edit, attempts, explain, queue …, schedule …, queues, workers, events,
// over the HTTP API.
// main() has add_client_commands() describe them to CLI11 and, when one was chosen, calls run_client_command().
// One thread; blocks until the command is done.
#pragma once
#include "cluster/client_events.hpp"
#include "cluster/client_queues.hpp"
#include "cluster/client_schedules.hpp"

#include <cstdint>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace taskmaster {

/// What a client command exits with.
namespace exit_codes {
constexpr int done = 0;
constexpr int failed = 1; // the task, or the request
constexpr int usage = 2;
constexpr int unreachable = 3;
} // namespace exit_codes

/// `submit`'s flags, and `edit`'s: a field of the task each, left out of the request when not given.
struct submit_options {
  std::string kind;
  std::vector<std::string> words;        // after KIND: what `shell` runs
  std::optional<std::string> command;    // --command
  std::optional<std::string> payload;    // JSON, "@file" or "-"
  std::optional<std::string> batch_file; // or "-"
  std::vector<std::string> environment;  // of a shell task, NAME=VALUE
  std::optional<std::string> folder, input;
  std::optional<std::string> queue, run_at, delay, timeout, heartbeat_timeout, expires_at, delivery;
  std::optional<std::string> unique_scope, unique_period, unique_policy;
  std::optional<std::string> unique_key, idempotency_key, concurrency_key, webhook;
  std::optional<std::int32_t> priority, max_attempts;
  std::vector<std::string> after; // ids
  std::optional<std::string> group, after_group, after_on, after_else;
  std::vector<std::string> labels; // NAME=VALUE
  std::optional<std::string> retry_initial, retry_max;
  std::optional<double> retry_factor, retry_jitter;
  std::string wait; // empty: do not; "true": for ever; else a duration
};

struct list_options {
  std::string queue, kind, group, state, reason, cursor;
  std::vector<std::string> labels;
  std::int32_t limit = 100;
  bool all = false;
};

/// cancel and retry without an ID: every task that this matches.
struct bulk_options {
  std::string queue, kind, group, state, reason;
  std::vector<std::string> labels;
  std::string rate; // of retry: LIMIT/PERIOD
  bool dry_run = false;
  bool filtered() const { return !queue.empty() || !kind.empty() || !group.empty() || !state.empty() || !reason.empty() || !labels.empty(); }
};

struct client_request {
  enum class command : std::uint8_t { none, submit, get, list, wait, cancel, retry, edit, attempts, queues, workers, queue, explain, schedule, events };
  command what = command::none;
  std::string server = "127.0.0.1:8081";
  std::string output = "table"; // or "json"
  std::string id;               // get, wait, cancel, retry, edit, attempts, explain
  std::string timeout;          // wait; empty: for ever
  submit_options submit;
  list_options list;
  queue_options queue;
  schedule_options schedule; // its task's flags are in `submit`
  bulk_options bulk;
  events_options events;

  bool json() const { return output == "json"; }
};

/// Adds the subcommands with all their flags; parsing sets `chosen.what` when one of them is named. `chosen` must outlive `app`, and
/// `app` must allow one subcommand only (require_subcommand(0, 1)): else CLI11 takes a KIND of that name for another command.
void add_client_commands(CLI::App& app, client_request& chosen);

/// Returns one of exit_codes. Answers go to `out`, everything else to `err`; `in` is read for "-".
int run_client_command(const client_request& request, std::istream& in, std::ostream& out, std::ostream& err);

} // namespace taskmaster
