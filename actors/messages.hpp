// What actors tell and ask each other, beside the session's messages. All of it stays within one process: between processes
// protobuf speaks (gateway/), never CAF's own wire format, which changes between releases. So no type here has an
// `inspect`; CAF_ALLOW_UNSAFE_MESSAGE_TYPE says the same to CAF.
#pragma once
#include "actors/event_log.hpp"
#include "actors/executor.hpp"
#include "actors/explain.hpp"
#include "actors/session.hpp"
#include "schema/store.hpp"
#include "schema/task_edit.hpp"

#include <caf/all.hpp>

namespace taskmaster {

// Atom texts hold ten characters in CAF 0.17. Own names: CAF predefines put, get, join, tick, … in its namespace.
using submit_atom = caf::atom_constant<caf::atom("tm_submit")>;
using find_atom = caf::atom_constant<caf::atom("tm_find")>;
using list_atom = caf::atom_constant<caf::atom("tm_list")>;
using attempts_atom = caf::atom_constant<caf::atom("tm_attempt")>;
using wait_atom = caf::atom_constant<caf::atom("tm_wait")>;
using cancel_atom = caf::atom_constant<caf::atom("tm_cancel")>;
using retry_atom = caf::atom_constant<caf::atom("tm_retry")>;
using edit_atom = caf::atom_constant<caf::atom("tm_edit")>;
using bulk_atom = caf::atom_constant<caf::atom("tm_bulk")>;
using queues_atom = caf::atom_constant<caf::atom("tm_queues")>;
using workers_atom = caf::atom_constant<caf::atom("tm_workers")>;
using drain_atom = caf::atom_constant<caf::atom("tm_drain")>;
using explain_atom = caf::atom_constant<caf::atom("tm_explain")>;
using queue_atom = caf::atom_constant<caf::atom("tm_queue")>;
using set_queue_atom = caf::atom_constant<caf::atom("tm_setq")>;
using schedule_atom = caf::atom_constant<caf::atom("tm_schedul")>;
using health_atom = caf::atom_constant<caf::atom("tm_health")>;
using events_atom = caf::atom_constant<caf::atom("tm_events")>;
using announce_atom = caf::atom_constant<caf::atom("tm_announc")>;
using live_atom = caf::atom_constant<caf::atom("tm_live")>;
using tick_atom = caf::atom_constant<caf::atom("tm_tick")>;
using run_atom = caf::atom_constant<caf::atom("tm_run")>;
using stop_atom = caf::atom_constant<caf::atom("tm_stop")>;

/// What a gateway hands the scheduler. Specs are validated already; ids are made by the scheduler.
struct submit_request {
  std::vector<task_spec> specs;
};
/// In the order asked; each is a stored task, a repeated one, or refused alone.
using submit_answer = expected<std::vector<inserted>>;

using find_answer = expected<task_record>;
using list_answer = expected<task_page>;
using attempts_answer = expected<std::vector<attempt_record>>;

/// The task when it finished in time, or as it stands with finished = false.
struct waited {
  task_record record;
  bool finished = false;
};
using wait_answer = expected<waited>;

/// cancelled = false: it had been handed out, or may have been (grace); its worker is told, the outcome says what happened.
struct cancel_verdict {
  bool cancelled = false;
};
using cancel_answer = expected<cancel_verdict>;
struct cancelled_task {
  bool cancelled = false;
  task_record record;
};
using cancelled_answer = expected<cancelled_task>;
using reopen_answer = expected<task>;

struct edit_request {
  uuid id;
  task_edit what;
};
/// Only what waits is changed.
enum class edit_verdict : std::uint8_t { changed, running, finished };
using edit_answer = expected<edit_verdict>;

/// Cancel or retry every task that the filter matches: queue, kind, state, labels. Without a state: the unfinished (cancel), the failed (retry).
struct bulk_request {
  enum class verb : std::uint8_t { cancel, retry };
  verb what = verb::cancel;
  task_filter filter;
  bool dry_run = false; // only count
  std::optional<rate_limit> rate = {}; // retry: limit and period at which they become due; nothing: at once
};
/// `changed` counts what was cancelled, asked to stop, or put back to work; the rest had moved on by itself.
struct bulk_counts {
  std::uint64_t matched = 0, changed = 0;
  bool dry_run = false;
};
using bulk_answer = expected<bulk_counts>;

struct queue_info {
  queue_summary counts;
  std::int64_t running = 0;
  queue_settings settings;
};
using queue_answer = expected<queue_info>;
using queues_answer = expected<std::vector<queue_info>>;

struct worker_info {
  std::string id; // of the session
  std::string name, incarnation, peer;
  std::string state; // connected, draining, lost (its tasks wait out the grace)
  std::vector<std::string> queues, kinds;
  std::int32_t slots = 0, credit = 0;
  std::vector<uuid> tasks;
  timestamp connected_at;
};
using workers_answer = expected<std::vector<worker_info>>;

/// Tasks just committed.
struct announcement {
  std::vector<task> tasks;
  bool graphs = false; // some wait for others
  std::vector<std::uint64_t> transactions = {}; // that stored none but these
};

/// What the leader knows of a task that is handed out.
struct live_task {
  uuid id;
  std::string queue;
  std::string worker;
  taskmaster::fence fence;
  std::int32_t attempt = 0;
  timestamp picked_at;
  std::optional<timestamp> started_at;
  std::string progress;
};
struct live_request {
  std::vector<uuid> ids; // empty: all, up to 10,000
};
using live_answer = expected<std::vector<live_task>>;
using finish_answer = expected<bool>; // true: finished within the time
using done_answer = expected<done>;
using explain_answer = expected<explanation>;
using reasons_answer = expected<std::vector<task_reason>>;
using settings_answer = expected<queue_settings>;

/// One thing done to one schedule. `put` makes it or replaces its definition; the same definition again changes nothing.
struct schedule_command {
  enum class verb : std::uint8_t { put, remove, pause, resume, trigger, backfill };
  verb what = verb::put;
  std::string name;
  schedule_spec spec;                // put
  std::optional<bool> paused;        // put; nothing: as it is
  timestamp from, until;             // backfill: every instant from the one to the other; trigger: `from` is when it was asked for
  bool beside_unfinished = false;    // trigger, backfill: whatever the overlap policy says
};
struct schedule_outcome {
  schedule_record schedule; // as it is now; of `remove`: as it was
  bool created = false;
  std::vector<task> tasks;    // trigger, backfill: what was submitted
  std::uint64_t matched = 0;  // backfill: instants in the range; those that had a task already got no other
};
using schedule_answer = expected<schedule_outcome>;

/// Questions about schedules that the database answers.
struct schedule_query {
  enum class verb : std::uint8_t { list, find, ledger };
  verb what = verb::list;
  std::string name; // find, ledger
  std::string cursor;
  std::size_t limit = 100;
};
struct schedule_found {
  schedule_page page; // list; find: the one
  ledger_page ledger;
};
using schedule_found_answer = expected<schedule_found>;
using events_answer = expected<event_page>;

/// Can this node accept tasks, and is there a leader? For /readyz and the log.
struct health {
  bool database = false;
  bool coordinator = false;
  std::string detail;
};

} // namespace taskmaster

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::uuid)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::submit_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::submit_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::find_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::task_filter)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::list_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::attempts_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::wait_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::cancel_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::cancelled_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::edit_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::edit_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::bulk_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::bulk_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::reopen_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::queues_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::queue_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::queue_change)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::settings_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::task)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::explain_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::reasons_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::workers_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::announcement)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::live_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::live_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::finish_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::done_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::schedule_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::schedule_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::schedule_query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::schedule_found_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::event_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::events_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::health)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::execution)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::execution_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::from_worker)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::to_worker)
