// The leader's plan: which tasks it knows, which are due, who may take them, who holds what. It decides; the coordinator acts on
// what it decides. Pure C++, no clock, no I/O: everything comes in by calls and goes out through `take_…`. Protocol rules R5 to R16
// (ARCHITECTURE.md) live here. One thread.
//
// Memory is bounded whatever the backlog: of each bucket (queue, priority, kind) the plan holds a window of the rows in (run_at, id)
// order, complete up to a mark, and asks for a refill when it runs low. Rows beyond the mark are left to later refills; a row
// behind the mark that commits late is met by the scan.
#pragma once
#include "actors/session.hpp"
#include "actors/tombstones.hpp"
#include "schema/store.hpp"

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace taskmaster {

struct plan_options {
  std::size_t window_rows = 1'000;        // a refill's size
  std::size_t window_low = 250;           // refill below this (a quarter: protocol 3.2 #22)
  std::size_t window_bytes = 8u << 20;    // payload bytes of a refill
  std::size_t window_most = 4;            // windows grow to this many refills by announces, then lose their tail
  std::int32_t quarantine_after = 5;      // losses of one task; then it ends `failed`, reason `quarantined`
  std::int32_t deferrals = 100;           // in a row (api.md)
  std::chrono::milliseconds announce_age{5'000};   // R9: older ones are left to the scan
  std::chrono::milliseconds tombstone_age{10'000}; // longer than announce_age plus the clock's uncertainty
  std::size_t dispatch_turn = 1'000;      // assignments in one turn, so that other messages get theirs
  std::uint64_t seed = 0;                 // of the retries' jitter
};

using session_id = std::uint64_t;

/// What the plan remembers of one session.
struct planned_session {
  std::string worker, incarnation;
  std::vector<std::string> queues, kinds;
  std::int32_t slots = 0;
  std::int32_t credit = 0;
  bool draining = false;
  bool connected = true; // false: lost, its tasks wait out the grace
  bool queued = false;    // stands in its signature's ready line
  std::unordered_set<uuid> tasks; // assigned to it and not settled
};

class plan {
public:
  explicit plan(plan_options options = {});

  // -- leading -------------------------------------------------------------------------------------------------------

  /// Starts afresh as the leader of this term. With `grace`, what was due and stored before `lease.now` may still be held by a
  /// worker of an earlier leader and waits for end_grace().
  void lead(const leader_lease& lease, bool grace);
  /// Forgets everything.
  void resign();
  bool in_grace() const { return grace_; }
  /// Nobody claimed what is still held: it is due again (marked tasks: `lost`).
  void end_grace(timestamp now);

  // -- what the database tells ---------------------------------------------------------------------------------------

  /// The buckets there were at the load; later ones are born complete.
  void load_buckets(const std::vector<bucket_key>& keys);
  struct refill {
    std::uint64_t ticket = 0;
    bucket_key bucket;
    window_mark after;
  };
  /// At most `most` refills that are needed now; each is in flight until refilled() or refill_failed().
  std::vector<refill> take_refills(std::size_t most);
  void refilled(const refill& what, window_page page, timestamp now);
  void refill_failed(const refill& what);
  /// A scan pass's page is a read too: its ticket keeps tombstones.
  std::uint64_t open_read();
  void close_read(std::uint64_t ticket);
  void scanned(std::vector<task> rows, timestamp now);
  /// R9: later than the load and young; else left to the scan. False: refused.
  bool announced(task row, timestamp now);
  /// A row that was read again by id.
  void met(task row, timestamp now);
  bool knows(const uuid& id) const { return entries_.contains(id); }

  // -- workers -------------------------------------------------------------------------------------------------------

  void open_session(session_id id, const hello& h);
  /// The stream is gone: its tasks wait for it to come back.
  void session_lost(session_id id);
  /// It came back as `heir` (same incarnation), or will not (0). What the heir did not claim was never received (R10): due again,
  /// or `lost` when marked. Without an heir each task is a loss.
  void close_session(session_id id, session_id heir, timestamp now);
  void credit(session_id id, std::int32_t more);
  void drain(session_id id);
  void started(session_id id, const uuid& task, const fence& f, timestamp now);
  void progress(session_id id, const task_progress& p);

  enum class claim_verdict : std::uint8_t { keep, drop, unknown, wait };
  /// R11: keep = adopted by this session; drop = stop it; unknown = read the row and ask again; wait = an older term's claim,
  /// decided at the end of the grace, the greatest fence first.
  /// With `last` (the grace ends, claims come sorted) nothing waits any more.
  claim_verdict claimed(session_id id, const claim& c, timestamp now, bool last = false);
  /// The row of a claim that was unknown; a null row: there is none.
  claim_verdict claimed_row(session_id id, const claim& c, const task* row, timestamp now);

  enum class result_verdict : std::uint8_t { settling, stale, unknown };
  /// settling = a change is on its way, acknowledge when it is recorded; stale = changes nothing; unknown = see what history says.
  result_verdict finished(session_id id, const run_result& r);

  // -- deciding ------------------------------------------------------------------------------------------------------

  struct hand_out {
    session_id session = 0;
    std::vector<assignment> tasks;
  };
  /// Hands out what is due within the workers' credit, highest priority first, then by run_at. True: more could go, call again.
  bool dispatch(timestamp now, std::string_view secret, std::vector<hand_out>& out);
  /// When something becomes due or expires next, after `now`; what is due and blocked waits for credit, not for time.
  std::optional<timestamp> next_due(timestamp now) const;

  /// Changes to be recorded in this order (R7); each is settling until recorded().
  std::vector<task_change> take_changes();
  struct settled {
    uuid task;
    taskmaster::fence fence;
    session_id session = 0;   // who is to be acknowledged; 0: nobody
    bool finished = false;    // final: wake who waits for it
    bool cancelled = false;
    bool stale = false;
  };
  /// The database's answers to changes, in the same order. Ids in `read_again` are to be read by id and given to met() or gone().
  void recorded(const std::vector<task_change>& changes, const taskmaster::recorded& answers, timestamp now, std::string_view secret,
                std::vector<settled>& out, std::vector<hand_out>& marked, std::vector<uuid>& read_again);
  /// A row that was to be read again is not there any more.
  void gone(const uuid& id);
  /// Every tick: tombstones age by this clock.
  void sweep(steady_time now);

  // -- clients -------------------------------------------------------------------------------------------------------

  enum class cancel_step : std::uint8_t { settling, requested, unknown, finished };
  struct cancel_decision {
    cancel_step step = cancel_step::unknown;
    session_id session = 0; // requested of a running task: tell this one
    taskmaster::fence fence;
  };
  cancel_decision cancel(const uuid& id);
  /// The same for a task outside the windows, whose row was read for it.
  cancel_decision cancel_row(task row);
  bool recently_finished(const uuid& id) const { return stones_.finished(id); }
  /// A finished task that this leader has just put back to work.
  void reopened(task row, timestamp now);

  struct live {
    const task* row = nullptr;
    session_id session = 0;
    taskmaster::fence fence;
    timestamp picked_at;
    std::optional<timestamp> started_at;
    std::string_view progress;
  };
  /// A task that is handed out; row is null for any other.
  live running(const uuid& id) const;
  const std::map<session_id, planned_session>& sessions() const { return sessions_; }
  /// What this session's worker has in its hands: given to it, and no result has come. In order of id.
  std::vector<uuid> in_hands(session_id id) const;

  struct size {
    std::size_t entries = 0, waiting = 0, held = 0, running = 0, settling = 0, buckets = 0, tombstones = 0;
  };
  size count() const;

private:
  enum class entry_state : std::uint8_t { held, waiting, marking, assigned, settling };
  using position = window_mark; // (run_at, id)

  /// Workers that serve the same queues and kinds: tasks are matched with these, not with each worker (protocol 3.2 #24).
  struct signature {
    std::vector<std::string> queues, kinds;
    std::deque<session_id> ready; // sessions with credit, each once; whoever is in front is next
    std::size_t members = 0;
    bool accepts(const bucket_key& key) const;
  };
  struct bucket {
    bucket_key key;
    std::set<position> waiting, held;
    position mark = position::start();
    bool complete() const { return mark == position::end(); }
    bool filling = false;
    std::optional<position> dropped; // the first row left out while a refill was in flight: the refill may not have seen it
    std::size_t bytes = 0;
    std::vector<signature*> takers;
    std::uint64_t takers_of = 0; // signature generation that `takers` was made for
  };
  struct entry {
    task row;
    entry_state state = entry_state::waiting;
    bucket* home = nullptr;
    bool placed = false; // in home->waiting or home->held
    session_id session = 0;
    taskmaster::fence fence;
    timestamp picked_at;
    std::optional<timestamp> started_at;
    std::string progress;
    bool cancel_requested = false;
  };

  bucket& bucket_of(const task& row);
  bool news(const task& row) const;
  bool maybe_held(const task& row) const;
  entry& make_entry(task row);
  void add(task row, timestamp now);
  void place(entry& e);
  void unplace(entry& e);
  void erase(const uuid& id);
  void trim(bucket& b);
  void put_back(entry& e);
  void settle(entry& e, task_change change);
  task_change change_of(const entry& e, task_change::type what) const;
  void finish(entry& e, task_state state, std::string reason, std::optional<task_error> failure = {}, std::string result = {});
  void lose(entry& e);
  void release(entry& e);
  void adopt(entry& e, session_id id, const taskmaster::fence& f, timestamp now);
  void ready(session_id id);
  const std::vector<signature*>& takers(bucket& b);
  signature* next_taker(bucket& b);
  void assign_to(entry& e, session_id id, std::string_view secret, timestamp now, std::map<session_id, std::vector<assignment>>& out);
  assignment assignment_of(const entry& e, std::string_view worker, std::string_view secret) const;
  void expire_due(timestamp now);
  void bury(const uuid& id, task_version lowest_news) { stones_.add(id, lowest_news, next_ticket_, clock_); }

  plan_options options_;
  std::mt19937_64 chance_;
  std::uint64_t term_ = 0, previous_term_ = 0, sequence_ = 0;
  timestamp took_over_at_ = timestamp::min();
  bool grace_ = false;

  std::unordered_map<uuid, std::unique_ptr<entry>> entries_;
  std::map<bucket_key, std::unique_ptr<bucket>> buckets_;
  std::set<std::pair<timestamp, uuid>> expiries_;
  tombstones stones_;
  steady_time clock_{}; // as of the last sweep
  std::uint64_t next_ticket_ = 1;
  std::set<std::uint64_t> open_reads_;

  std::map<session_id, planned_session> sessions_;
  std::map<session_id, signature*> signature_of_;
  std::map<std::pair<std::vector<std::string>, std::vector<std::string>>, std::unique_ptr<signature>> signatures_;
  std::uint64_t generation_ = 1;

  std::vector<task_change> changes_;
};

} // namespace taskmaster
