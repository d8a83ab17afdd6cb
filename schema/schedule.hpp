// A schedule: when it fires, the task that it submits each time, and what happens when an instant is missed or the last task is still
// unfinished. The definition, its rules, and the decision of a moment: which instants fire, which do not and why. Plain data and pure
// functions, any thread; who decides is given `now`.
#pragma once
#include "schema/recurrence.hpp"
#include "schema/task.hpp"

namespace taskmaster {

/// What an instant does while a task of an earlier one is unfinished.
enum class overlap_policy : std::uint8_t {
  allow,          ///< fires
  skip,           ///< does not fire
  buffer_one,     ///< the first one waits and fires when no task is unfinished, further ones do not fire
  cancel_running, ///< cancels the unfinished ones, and the newest instant fires when they have ended
};
/// What happens to instants that nobody decided on in time, because no coordinator led.
enum class misfire_policy : std::uint8_t { skip, one, all };

std::string_view to_string(overlap_policy p);
std::string_view to_string(misfire_policy p);
std::optional<overlap_policy> parse_overlap(std::string_view text);
std::optional<misfire_policy> parse_misfire(std::string_view text);

namespace limits {
constexpr duration schedule_jitter = std::chrono::hours(24);
constexpr duration misfire_window = std::chrono::hours(24 * 366);
constexpr std::size_t preview = 1'000;
constexpr std::size_t backfill = 1'000; // instants in one request
constexpr std::size_t schedules = 100'000;
/// An instant decided on later than this was missed. Longer than a takeover takes: a new leader fires what its predecessor left.
constexpr duration misfire_after = std::chrono::seconds(10);
} // namespace limits

/// As users give it. The task's run_at, delay, expires_at and unique keys have to be left out: they mean one task, not a template.
struct schedule_spec {
  std::string name;
  recurrence_spec when;
  duration jitter{0}; // each task runs up to this much later than its instant, by a hash of name and instant
  overlap_policy overlap = overlap_policy::allow;
  misfire_policy misfire = misfire_policy::one;
  std::optional<duration> misfire_window; // older missed instants do not fire; nothing: an hour for `all`, no limit for `one`
  task_spec task;
};

/// Every fault with its field's pointer: ec::invalid_argument (form), ec::unprocessable (limits), ec::too_large.
std::optional<error> validate(const schedule_spec& spec, timestamp now);

/// The same text for the same definition: a PUT of what is there changes nothing.
std::string digest(const schedule_spec& spec);

/// The definition without its name and task as a JSON object, as clients write it; and back. ec::internal when it cannot be read.
std::string definition_json(const schedule_spec& spec);
expected<schedule_spec> parse_definition(std::string_view json);

/// What is remembered between decisions.
struct schedule_state {
  std::optional<timestamp> next_at;  // the first instant not decided on; nothing: there is none any more
  std::optional<timestamp> last_at;  // the last instant that fired
  std::optional<timestamp> buffered; // an instant that waits for the end of unfinished tasks
  bool paused = false;
  std::int64_t step = 0; // grows with every change; guards each write
  bool operator==(const schedule_state&) const = default;
};

/// A schedule as it is stored.
struct schedule_record {
  schedule_spec spec;
  std::int32_t version = 1; // of the definition; pausing does not change it
  schedule_state state;
  timestamp created_at, updated_at; // the database's clock; updated_at: of this version
  std::string tzdata;               // release of the time zones that next_at was computed with
};

/// A definition that can be asked for instants. Immutable.
class schedule {
public:
  static expected<schedule> make(schedule_spec spec);
  const schedule_spec& spec() const { return spec_; }
  const recurrence& when() const { return when_; }
  /// When the task of this instant is due.
  timestamp due_at(timestamp instant) const;
  /// What is odd and not wrong. `next`: of its state.
  std::vector<std::string> warnings(std::optional<timestamp> next) const;

private:
  schedule(schedule_spec spec, recurrence when) : spec_(std::move(spec)), when_(std::move(when)) {}
  schedule_spec spec_;
  recurrence when_;
};

struct fired_instant {
  timestamp instant;
  timestamp run_at;
};

/// Why instants did not fire: paused, misfired, overlapped. One of them, or, when there were many at once, a row for all of a run.
struct unfired {
  timestamp from, until; // the first and the last of them
  std::int64_t count = 1;
  std::string reason;
  bool operator==(const unfired&) const = default;
};

struct schedule_decision {
  schedule_state next;
  std::vector<fired_instant> fire;
  std::vector<unfired> ledger;
  bool cancel = false; // the unfinished tasks are to be cancelled
  bool more = false;   // more instants are due: decide again
};

/// Decides on every instant up to `now`, at most `most` of them. `unfinished`: how many tasks of this schedule are.
schedule_decision decide(const schedule& s, const schedule_state& state, std::size_t unfinished, timestamp now, std::size_t most = 10'000);

/// The state in which a definition starts, or goes on after it was changed.
schedule_state begin(const schedule& s, const schedule_state& before, timestamp now);

} // namespace taskmaster
