// The seam to what remembers. `postgres_store` keeps it in PostgreSQL, `memory_store` in a map;
// tests/store_conformance holds both to the sentences here. Used by store lanes (actors/store_lane), one
// object a lane; an object is used by one thread at a time. Every call blocks for at most `timeout` and
// answers ec::unavailable, ec::deadline_exceeded or ec::ambiguous when the database does not. Times in
// answers are of the database's clock.
#pragma once
#include "schema/queue.hpp"
#include "schema/schedule.hpp"
#include "schema/task.hpp"

#include <chrono>
#include <limits>

namespace taskmaster {

/// A task about to be stored. The id is made by who submits; run_at is absolute or, with `delay`, counted
/// from the database's clock at the insert (neither: at once).
struct new_task {
  uuid id;
  task_spec spec;
  std::string fingerprint; // of the spec; only looked at when it has an idempotency_key
  std::vector<edge> after = {}; // insert_graph: what it waits for; ids of tasks, of the same call too, and groups
};

/// The task of one instant of a schedule.
new_task task_of_instant(const schedule_spec& spec, const uuid& id, timestamp instant, timestamp run_at);

/// The task that a store makes of it; run_at and created_at are the database's to set. at_most_once means one
/// attempt.
task make_task(const new_task& wanted);
/// Its options as they are stored.
task_options options_to_store(const task_spec& spec);

/// One row's answer to an insert, in the order asked.
struct inserted {
  taskmaster::task task; // as stored; of a repeated key, only the first task's id is certain
  bool repeated = false; // the key was known: `task.id` is the first task, nothing was stored
  bool held = false;     // of `repeated`: it is the unique_key that is held
  std::optional<error>
      refused; // this row alone: key used with another body (unprocessable), bytes the database won't take
  std::uint64_t transaction = 0; // that stored it, and with it only rows of this call; 0: others too, or unknown
};

/// A bucket of the plan: tasks that the same workers can take, in the order of run_at.
struct bucket_key {
  std::string queue;
  std::string kind;
  std::int32_t priority = 0;
  auto operator<=>(const bucket_key&) const = default;
};

/// A place in a bucket. A window is complete up to its mark: every row at or before it is known.
struct window_mark {
  timestamp run_at = timestamp::min();
  uuid id;
  auto operator<=>(const window_mark&) const = default;
  static window_mark start() { return {}; }
  static window_mark end() {
    return {timestamp::max(),
            uuid{{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}};
  }
};

struct window_page {
  std::vector<task> tasks; // after the mark asked for, in (run_at, id) order
  bool more = false;       // rows may follow the last one
  std::optional<window_mark> walked = {}; // with `more`: the page is complete up to here instead of up to its last row
};

/// The window of one concurrency_key in a bucket.
struct key_window {
  bucket_key bucket;
  std::string key;
  window_mark after;
};

/// Where a scan goes on. A pass walks rows by (xid, id) in pages; a finished pass leaves the xmin of its own
/// first snapshot as the start of the next one, so that rows of transactions that were open then are met too
/// (protocol 3.1 #4).
struct scan_cursor {
  std::uint64_t since = 0;     // the pass starts at this transaction
  std::uint64_t after_xid = 0; // within the pass: last row of the page before; 0 at its start
  uuid after_id;
  std::uint64_t next_since = 0; // xmin of the pass's first snapshot; 0 at its start
};

struct scan_page {
  std::vector<task> tasks;
  scan_cursor next;
  bool more = false; // the pass goes on at `next`; else `next` starts the next pass
};

struct leader_lease {
  std::uint64_t term = 0;
  std::uint64_t previous_term = 0;
  timestamp now;      // the database's clock in the answer
  std::string secret; // signs fences; the same for the life of the cluster
};

struct leader_info {
  std::uint64_t term = 0;
  std::string holder;  // name of the coordinator
  std::string address; // where it is reached; may be empty
  timestamp expires_at;
  timestamp now;
};

/// A leader's change of one task; guarded by the row's version.
struct task_change {
  enum class type : std::uint8_t {
    finish, ///< R5: delete the row, insert history from it
    retry,  ///< R6: attempt + 1, new run_at; `burned` counts it as a failure, else as a deferral
    lose,   ///< R6: losses + 1, ready again
    mark,   ///< R16: at_most_once, before its only dispatch
    free_key, ///< its unique_key is free for others, before it is handed out (scope while_waiting)
  };
  type what = type::finish;
  uuid id;
  task_version version; // the row must have exactly this one
  taskmaster::fence fence;
  std::string worker;
  std::optional<timestamp> picked_at, started_at;
  task_state state = task_state::succeeded; // finish: the final state
  std::string reason;
  std::optional<task_error> failure;
  std::string result; // finish: JSON text or empty
  duration wait{0};   // retry: run_at = the database's now + wait
  bool burned = true; // retry
};

enum class change_verdict : std::uint8_t {
  applied, ///< done by this call
  already, ///< finish: history holds this outcome with the same fence; mark: with this fence; retry/lose: not
           ///< told apart from stale; free_key: never, done twice is done
  stale,   ///< the row is gone or of another version; nothing was changed
  refused, ///< the database will not take this row's bytes; nothing was changed
};

struct change_answer {
  change_verdict verdict = change_verdict::stale;
  timestamp run_at; // retry, lose: the row's new run_at
};

struct recorded {
  std::vector<change_answer> answers; // in the order asked
  timestamp now;
};

/// What a page of work on ended parents gave.
struct follow_up_page {
  std::vector<task> released; // due now, or with their end decided (graph.hpp: fate_of); more may have been, which the scan brings
  bool more = false;          // ask again
  bool edges = false;         // some task waits for another
};

/// A waiting task as it shall be.
struct task_edition {
  task_version of; // the row must have exactly this one; applied, its attempt is the next, so that no older copy counts
  task row;
  std::optional<duration> wait;                              // run_at = the database's now + wait, instead of the row's
  std::optional<std::map<std::string, std::string>> labels;  // else they stay
};

/// What a run left for the next; null: forget it.
struct kept_checkpoint {
  uuid id;
  task_version version; // of the run; another's says nothing
  std::shared_ptr<const std::string> json;
};

struct session_row {
  std::string worker;
  std::string incarnation;
  std::uint64_t term = 0;
};

struct task_filter {
  std::string queue, kind, group;
  std::string reason; // exactly; empty: any
  std::optional<task_state>
      state; // running: who runs is the leader's knowledge, so only the unfinished among `ids`
  std::map<std::string, std::string> labels;
  std::vector<uuid> ids; // when not empty: these only
  std::size_t limit = 100;
  std::string cursor; // as given by the page before; ec::invalid_argument when malformed
};

struct task_page {
  std::vector<task_record> tasks; // newest first by id; fewer than asked when limits::page_bytes are reached
  std::string next_cursor;        // empty: no more
};

struct queue_summary {
  std::string name;
  std::int64_t scheduled = 0, ready = 0; // counted up to a cap of 10,000 each, then `capped`
  bool capped = false;
};

struct schedule_page {
  std::vector<schedule_record> schedules; // by name; fewer than asked when limits::page_bytes are reached
  std::string next_cursor;                // a name; empty: no more
};

struct ledger_row {
  unfired what;
  timestamp decided_at;
};
struct ledger_page {
  std::vector<ledger_row> rows; // newest first
  std::string next_cursor;
};

/// R17: tasks of instants, what did not fire, and where the schedule goes on, in one transaction.
struct schedule_firing {
  std::shared_ptr<const schedule_spec> spec;
  std::int64_t step = 0; // the stored step has to be this one; it is step + 1 afterwards
  schedule_state next;
  struct instant_task {
    uuid id;
    timestamp instant, run_at;
  };
  std::vector<instant_task> tasks;
  std::vector<unfired> ledger;
};
struct fired_schedule {
  bool moved = false;      // false: another step is stored, nothing of it was done
  std::vector<task> tasks; // as stored; none for an instant that had one
};

class task_store {
public:
  using timeout = std::chrono::milliseconds;
  virtual ~task_store() = default;

  // -- submitting: any scheduler
  // -----------------------------------------------------------------------------------

  /// Stores all or answers why not; a row that is refused alone disturbs no other. Tasks with a key are
  /// looked up first. Committed when answered. ec::ambiguous: COMMIT was sent and not answered.
  virtual expected<std::vector<inserted>> insert(const std::vector<new_task>& tasks, timeout limit) = 0;

  /// One graph, stored whole or refused whole: then every row is refused, and the one at fault says why. A row may wait for rows of the
  /// same call and for any task that exists, ended or not; what has ended already counts when the leader follows up. A row whose key
  /// is taken is not stored, and those that wait for it wait for the first task. Locks no row of another task.
  virtual expected<std::vector<inserted>> insert_graph(const std::vector<new_task>& rows, timeout limit) = 0;

  // -- reading: anyone
  // ---------------------------------------------------------------------------------------------

  /// Finished or not; the states are scheduled/ready by run_at, or final. Who runs is the leader's knowledge.
  virtual expected<std::optional<task_record>> find(const uuid& id, timeout limit) = 0;
  virtual expected<task_page> list(const task_filter& filter, timeout limit) = 0;
  /// Oldest first; of a finished task the last run too.
  virtual expected<std::vector<attempt_record>> attempts(const uuid& id, timeout limit) = 0;
  /// What this task waits for still, at most `most` edges.
  virtual expected<std::vector<edge>> awaits(const uuid& id, std::size_t most, timeout limit) = 0;
  virtual expected<std::vector<queue_summary>> queues(timeout limit) = 0;
  /// What people set, of every queue that the database knows by name.
  virtual expected<std::vector<queue_settings>> settings(timeout limit) = 0;
  /// By name, after the cursor.
  virtual expected<schedule_page> schedules(const std::string& cursor, std::size_t most, timeout limit) = 0;
  virtual expected<std::optional<schedule_record>> find_schedule(const std::string& name, timeout limit) = 0;
  virtual expected<ledger_page> schedule_ledger(const std::string& name, const std::string& cursor, std::size_t most,
                                                timeout limit) = 0;
  virtual expected<leader_info> leader(timeout limit) = 0; ///< not_found before the first leader
  virtual expected<timestamp> clock(timeout limit) = 0;

  // -- leading (R1, R3)
  // --------------------------------------------------------------------------------------------

  /// A lease with a new term if the last one has run out, nothing if someone else holds it. Waits for the old
  /// leader's writes; after 500 ms ends its database sessions. Term: the greater of last + 1 and the clock in
  /// milliseconds.
  virtual expected<std::optional<leader_lease>> acquire(const std::string& holder, const std::string& address,
                                                        duration ttl, timeout limit) = 0;
  /// False: not the leader any more. The answer carries the clock.
  virtual expected<std::optional<timestamp>> renew(std::uint64_t term, duration ttl, timeout limit) = 0;
  /// Ends the lease now, so that a standby need not wait. No effect for another term.
  virtual expected<done> resign(std::uint64_t term, timeout limit) = 0;
  /// Tells which database session writes for this term, so that a successor can end it. Called by each lane
  /// after connecting; remembered and repeated by the store after it had to reconnect.
  virtual expected<done> enlist(std::uint64_t term, timeout limit) = 0;

  // -- the leader's reads (R2, R8): of tasks that are due some time; those that wait for others are in none but load()
  // ---------------------------------------------------------------------------------

  virtual expected<std::vector<bucket_key>> buckets(timeout limit) = 0;
  /// At most `rows` rows and about `bytes` of payload (at least one row if there is any).
  virtual expected<window_page> load_window(const bucket_key& bucket, const window_mark& after,
                                            std::size_t rows, std::size_t bytes, timeout limit) = 0;
  /// The same without the rows of `keys`. At most `walk` rows are looked at, so a page may be empty and more to come.
  virtual expected<window_page> load_window_past(const bucket_key& bucket, const window_mark& after,
                                                 std::size_t rows, std::size_t bytes,
                                                 const std::set<std::string>& keys, std::size_t walk,
                                                 timeout limit) = 0;
  /// For each, in the order asked: at most `rows` rows and about `bytes` of payload of its key alone.
  virtual expected<std::vector<window_page>> load_key_windows(const std::vector<key_window>& windows,
                                                              std::size_t rows, std::size_t bytes,
                                                              timeout limit) = 0;
  /// A cursor from which a pass meets every row not yet committed now.
  virtual expected<scan_cursor> scan_start(timeout limit) = 0;
  /// At most `rows` rows and about limits::page_bytes of payload (at least one row if there is any), without those
  /// that one of the transactions `known` was the last to change.
  virtual expected<scan_page> scan(const scan_cursor& from, std::size_t rows, timeout limit,
                                   const std::vector<std::uint64_t>& known = {}) = 0;
  /// The unfinished rows among `ids`, any order.
  virtual expected<std::vector<task>> load(const std::vector<uuid>& ids, timeout limit) = 0;
  /// Unfinished tasks of these schedules, at most a hundred each.
  virtual expected<std::map<std::string, std::vector<uuid>>>
  unfinished_of(const std::vector<std::string>& schedules, timeout limit) = 0;
  /// Sessions that an earlier term left open: who may still hold tasks.
  virtual expected<std::vector<session_row>> sessions(timeout limit) = 0;

  // -- the leader's writes (R4): ec::deposed when the term is over
  // -------------------------------------------------

  virtual expected<recorded> record(std::uint64_t term, const std::vector<task_change>& changes,
                                    timeout limit) = 0;
  /// Tells tasks that wait what became of others: those that ended, and those that had ended when somebody began to wait for them. Works
  /// off about `most` edges; what is left stays on the list, whoever leads. Writes nothing when there is nothing to do.
  virtual expected<follow_up_page> follow_up(std::uint64_t term, std::size_t most, timeout limit) = 0;
  /// A finished task back to work: same id, attempt + 1, failures 0. not_found, conflict (unfinished, or its
  /// unique_key is taken), unavailable (somebody's open transaction holds the unique_key).
  /// Due after `wait`. Its checkpoint stays.
  virtual expected<task> reopen(std::uint64_t term, const uuid& id, timeout limit, duration wait = duration{0}) = 0;
  /// The row as changed; nothing when it is gone or of another version. Asked again after an ambiguous answer, the same.
  virtual expected<std::optional<task>> edit(std::uint64_t term, const task_edition& what, timeout limit) = 0;
  virtual expected<done> keep_checkpoints(std::uint64_t term, const std::vector<kept_checkpoint>& all, timeout limit) = 0;
  /// Replaces the queue's settings; the queue need not exist.
  virtual expected<done> set_queue(std::uint64_t term, const queue_settings& settings, timeout limit) = 0;
  /// Makes the schedule or replaces its definition and state; the answer has the stored times.
  virtual expected<schedule_record> put_schedule(std::uint64_t term, const schedule_record& record,
                                                 timeout limit) = 0;
  /// not_found. Its tasks stay, and the keys of what it fired.
  virtual expected<done> delete_schedule(std::uint64_t term, const std::string& name, timeout limit) = 0;
  /// R17: one task for each instant, however often it is asked for; answers in the order asked.
  virtual expected<std::vector<fired_schedule>>
  fire_schedules(std::uint64_t term, const std::vector<schedule_firing>& firings, timeout limit) = 0;
  /// Gives rows that another server's transactions wrote (a restored dump) numbers of this one's, at most `most`; how many there were. A
  /// scan would read rows whose numbers lie ahead again each time.
  virtual expected<int> renew_transactions(std::uint64_t term, int most, timeout limit) = 0;
  virtual expected<done> open_session(std::uint64_t term, const session_row& row, timeout limit) = 0;
  virtual expected<done> close_session(std::uint64_t term, const std::string& worker,
                                       const std::string& incarnation, timeout limit) = 0;

  // -- housekeeping: the leader, now and then
  // ----------------------------------------------------------------------

  struct upkeep {
    int days_ahead = 0; // days of history that have a partition, from today on
    int made = 0, dropped = 0;
    std::int64_t keys_expired = 0;
  };
  /// Makes history partitions for today and the next 7 days, detaches and drops those older than `retention`,
  /// deletes expired keys, keys and ledger rows of schedules that are older, and checkpoints as old of tasks that are finished.
  virtual expected<upkeep> maintain(duration retention, timeout limit) = 0;
};

} // namespace taskmaster
