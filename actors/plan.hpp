// The leader's plan: which tasks it knows, which are due, who may take them, who holds what. It decides; the coordinator acts on
// what it decides. Pure C++, no clock, no I/O: everything comes in by calls and goes out through `take_…`. Protocol rules R5 to R16
// (ARCHITECTURE.md) live here. One thread.
//
// Memory is bounded whatever the backlog: of each bucket (queue, priority, kind) the plan holds a window of the rows in (run_at, id)
// order, complete up to a mark, and asks for a refill when it runs low. Rows beyond the mark are left to later refills; a row
// behind the mark that commits late is met by the scan.
//
// Within a bucket, the tasks of one concurrency_key stand in a line. A line whose key may not run more now is shut: it leaves what
// dispatch looks at and does not count as a filled window, so it hides nothing. A line with many tasks gets a window and refills of its
// own, and the bucket's refills go past its key.
#pragma once
#include "actors/event_log.hpp"
#include "actors/explain.hpp"
#include "actors/rate.hpp"
#include "actors/session.hpp"
#include "actors/tombstones.hpp"
#include "schema/store.hpp"
#include "schema/task_edit.hpp"

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
  std::size_t line_rows = 64;             // a refill's size of a line with a window of its own; at twice that a line gets one
  std::size_t line_low = 16;
  std::size_t line_bytes = 256u << 10;
  std::size_t lines_a_refill = 64;
  std::size_t shut_most = 100'000;        // tasks of shut lines in a bucket; past it the bucket's window is not refilled
  std::chrono::milliseconds progress_slack{1'000}; // on a heartbeat_timeout: reports travel with the heartbeats
  std::chrono::milliseconds silence_grace{10'000}; // from being told to stop to being taken away
  std::chrono::seconds aged_after{60};    // due for so long, a task is aged, and
  std::uint32_t aged_share = 10;          // every tenth hand-out is of the longest due among the aged, whatever its priority
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
  /// worker of an earlier leader and waits for end_grace(). `now`: what is let go before the first sweep() is remembered from then on.
  void lead(const leader_lease& lease, bool grace, steady_time now);
  /// Forgets everything.
  void resign();
  bool in_grace() const { return grace_; }
  /// Nobody claimed what is still held: it is due again (marked tasks: `lost`).
  void end_grace(timestamp now);

  // -- what the database tells ---------------------------------------------------------------------------------------

  /// The buckets there were at the load; later ones are born complete.
  void load_buckets(const std::vector<bucket_key>& keys);
  /// What was set on queues, at the load: before anything is handed out. Token buckets are empty then, since nobody knows what the
  /// last leader took from them.
  void load_settings(const std::vector<queue_settings>& all);
  struct refill {
    std::uint64_t ticket = 0;
    bucket_key bucket;
    window_mark after;
    std::set<std::string> past; // keys with windows of their own
  };
  /// At most `most` refills that are needed now; each is in flight until refilled() or refill_failed().
  std::vector<refill> take_refills(std::size_t most);
  void refilled(const refill& what, window_page page, timestamp now);
  void refill_failed(const refill& what);
  struct key_refill {
    std::uint64_t ticket = 0;
    std::vector<key_window> windows;
  };
  /// Windows of single keys that are needed now; empty: none.
  key_refill take_key_refill();
  void key_refilled(const key_refill& what, std::vector<window_page> pages, timestamp now);
  void key_refill_failed(const key_refill& what);
  /// A scan pass's page is a read too: its ticket keeps tombstones.
  std::uint64_t open_read();
  void close_read(std::uint64_t ticket);
  void scanned(std::vector<task> rows, timestamp now);
  /// R9: later than the load and young; else left to the scan. False: refused.
  bool announced(task row, timestamp now);
  /// What it waited for has ended (store: follow_up).
  void released(task row, timestamp now);
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
  void started(session_id id, const uuid& task, const fence& f, timestamp at);
  void progress(session_id id, const task_progress& p, timestamp now);
  /// What runs have left for next attempts since it was asked last: to be kept no later than the changes taken with it.
  std::vector<kept_checkpoint> take_checkpoints();
  bool has_checkpoints() const { return !unsaved_.empty() || !forgotten_.empty(); }
  /// Runs that promised progress and gave none for too long: their workers are to be told. Those who do not even stop then are taken away.
  struct silence {
    session_id session = 0;
    uuid task;
    taskmaster::fence fence;
  };
  std::vector<silence> take_silent(timestamp now);

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

  // -- limits (plan_limits.cpp) --------------------------------------------------------------------------------------

  /// Takes effect with the next dispatch. What runs runs on.
  void set_queue(const queue_settings& settings, timestamp now);
  /// As set, or the defaults.
  queue_settings settings_of(const std::string& queue) const;

  // -- deciding ------------------------------------------------------------------------------------------------------

  struct hand_out {
    session_id session = 0;
    std::vector<assignment> tasks;
  };
  /// Hands out what is due within the workers' credit and the queues' limits: the highest priority first; of one priority queues take
  /// turns by their weights, within a queue its keys take turns (tasks without a key are one of them), within a key by run_at.
  /// Every tenth hand-out goes to the longest due of those due for a minute. True: more could go, call again.
  bool dispatch(timestamp now, std::string_view secret, std::vector<hand_out>& out);
  /// When something becomes due or expires next, after `now`; what is due and blocked waits for credit, not for time.
  std::optional<timestamp> next_due(timestamp now);

  /// Changes to be recorded in this order (R7); each is settling until recorded().
  std::vector<task_change> take_changes();
  /// Whether others may have to wait for one of the changes made since the last call: what it counts against is limited.
  bool take_held_up() { return std::exchange(held_up_, false); }
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
  /// A row that was to be read again is not there any more. False: it was put back to work while that was read, and is known again.
  bool gone(const uuid& id);
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
  enum class edit_step : std::uint8_t { settling, running, finished, changing, unknown };
  struct edit_decision {
    edit_step step = edit_step::unknown;
    std::optional<error> refused; // by the rules; nothing is changed then
    task_edition edition;         // settling: to be written, then edited() or edit_failed()
  };
  edit_decision edit(const uuid& id, const task_edit& what, timestamp now);
  /// The same for a task outside the windows, whose row was read for it.
  edit_decision edit_row(task row, const task_edit& what, timestamp now);
  /// The database's answer; no row: it had changed by itself and is to be read again.
  void edited(const task_edition& what, std::optional<task> row, timestamp now);
  /// Nothing was changed.
  void edit_failed(const uuid& id);
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

  /// Every gate that holds this unfinished task now. `row` is what the database says; what the plan knows counts more.
  std::vector<task_reason> explain(const task& row, timestamp now, const explain_clock& clock);

  // -- telling (plan_events.cpp) -------------------------------------------------------------------------------------

  /// From here on every transition is told, each once; or none. Off when leading begins. What is due or was inserted before `now` is
  /// not told again.
  void tell(bool on, timestamp now);
  bool telling() const { return telling_; }
  /// What happened since the last call, in order; without ids.
  std::vector<task_event> take_events() { return std::exchange(events_, {}); }
  /// A pass of the scan has ended.
  void scan_passed();
  /// How a task ended that was gone when its row was read again; before gone().
  void tell_end(const task_record& ended);

  /// How many tasks count against the limits of this queue, or of one key of it.
  std::size_t running_in(const std::string& queue) const;
  std::size_t running_in(const std::string& queue, const std::string& key) const;
  /// Whether what is counted is what is there, and whatever is handed out is in the hands of a session. Empty: it is. Walks every entry.
  std::string audit() const;

private:
  enum class entry_state : std::uint8_t { held, waiting, marking, assigned, settling };
  /// What listeners know of a task that waits: nothing that is remembered, that it is for later, that it is due.
  enum class told_wait : std::uint8_t { unknown, later, due };
  using position = window_mark; // (run_at, id)

  /// Workers that serve the same queues and kinds: tasks are matched with these, not with each worker (protocol 3.2 #24).
  struct signature {
    std::vector<std::string> queues, kinds;
    std::deque<session_id> ready; // sessions with credit, each once; whoever is in front is next
    std::size_t members = 0;
    bool accepts(const bucket_key& key) const;
  };
  struct entry;
  struct line;
  struct bucket;
  struct queue_state;
  /// A concurrency_key of a queue, as long as tasks of it are known or its token bucket is not full. The key "" has no limits.
  struct key_state {
    queue_state* home = nullptr;
    std::string key;
    double finish = 0; // virtual time at which its last turn was over
    rate_meter meter;
    std::vector<entry*> running; // what may be on a worker: assigned, marked, held, or its outcome not yet recorded
    std::vector<line*> lines;
    std::optional<timestamp> alarm; // stands in alarms_
  };
  struct head {
    std::int32_t priority = 0;
    double rank = 0;
    position at;
    bucket* from = nullptr;
    bool operator<(const head& other) const { // the greatest goes first
      if (priority != other.priority) return priority < other.priority;
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
    bool operator==(const head& other) const { return priority == other.priority && rank == other.rank && at == other.at; }
  };
  struct queue_state {
    queue_settings settings;
    rate_meter meter;
    rate_meter fresh_key; // the meter that a key which was not known starts with
    std::vector<entry*> running;
    std::unordered_map<std::string, std::unique_ptr<key_state>> keys;
    double finish = 0; // virtual time among queues
    double now = 0;    // virtual time among its keys
    std::vector<head> turn; // heap of its buckets, while dispatch() runs
  };
  enum class line_place : std::uint8_t { none, later, ready, shut };
  /// The tasks of one key in one bucket.
  struct line {
    bucket* home = nullptr;
    key_state* key = nullptr;
    std::set<position> waiting, held;
    line_place place = line_place::none;
    position head;   // as filed in `later` or `ready`
    double rank = 0; // as filed in `ready`
    std::size_t users = 0; // entries that point here
    // A window of its own: complete up to here.
    std::optional<position> own;
    bool filling = false;
    bool thirsty = false; // stands in thirsty_
    std::optional<position> dropped;
    std::size_t bytes = 0;
    bool complete() const { return !own || *own == position::end(); }
  };
  struct earlier {
    bool operator()(const line* a, const line* b) const { return a->head < b->head; }
  };
  struct fairer {
    bool operator()(const line* a, const line* b) const { return a->rank != b->rank ? a->rank < b->rank : a->head < b->head; }
  };
  struct bucket {
    bucket_key key;
    queue_state* queue = nullptr;
    std::unordered_map<std::string, std::unique_ptr<line>> lines;
    line* plain = nullptr; // the line of tasks without a key
    std::set<line*, earlier> later;  // the head is not due, as far as the last dispatch saw
    std::set<line*, fairer> ready;   // the head is due; whose turn it is first
    std::set<line*, earlier> oldest; // the same lines, the longest due first
    position mark = position::start();
    bool complete() const { return mark == position::end(); }
    bool filling = false;
    std::optional<position> dropped; // the first row left out while a refill was in flight: the refill may not have seen it
    std::size_t waiting = 0, held = 0, shut = 0; // tasks, and how many of those waiting are in shut lines
    std::size_t loose = 0, loose_shut = 0;       // the same of lines without windows of their own
    std::size_t bytes = 0;                       // payloads of these
    std::set<std::string> own_keys;
    std::shared_ptr<const bucket_key> where; // as events carry it, once there was one
    std::vector<signature*> takers;
    std::uint64_t takers_of = 0; // signature generation that `takers` was made for
  };
  struct entry {
    task row;
    line* home = nullptr;
    entry_state state = entry_state::waiting;
    bool placed = false; // in home->waiting or home->held
    bool busy = false;   // in running of its queue and key, at these places
    bool cancel_requested = false;
    bool editing = false; // settling, because of a change by hand
    bool silent = false;  // its worker was told to stop it for want of progress,
    bool taken = false;   // its run counts no more, whatever its worker says of it: it did not stop, or is given up as lost
    std::optional<timestamp> quiet_until; // stands in silences_
    told_wait told = told_wait::unknown;
    std::uint32_t queue_place = 0, key_place = 0;
    session_id session = 0;
    taskmaster::fence fence;
    timestamp picked_at;
    std::optional<timestamp> started_at;
    std::string progress;
  };

  // windows: plan.cpp, plan_lines.cpp
  bucket& bucket_of(const task& row);
  bucket& make_bucket(const bucket_key& key, position mark);
  queue_state& queue_of(const std::string& name);
  line& line_of(bucket& b, const std::string& key);
  void leave_line(line& l);
  using entries = std::unordered_map<uuid, std::unique_ptr<entry>>;
  void forget(entries::iterator it);
  void set_state(entry& e, entry_state state);
  void occupy(entry& e);
  void vacate(entry& e);
  void file(line& l);
  void unfile(line& l);
  void count_waiting(line& l, std::ptrdiff_t more);
  void evict(line& l, const position& at);
  void thirst(line& l);
  void split(line& l);
  position refill_mark(const window_page& page, std::optional<position>& dropped, const position& known) const;
  // limits: plan_limits.cpp
  bool queue_open(queue_state& q, timestamp now);
  bool kind_open(const bucket& b) const { return !b.queue->settings.paused_kinds.contains(b.key.kind); }
  bool key_open(key_state& k, timestamp now);
  bool has_room(const entry& e) const;
  void shut(key_state& k, timestamp now);
  void readmit(key_state& k);
  void readmit_all(queue_state& q);
  void alarm(key_state& k, timestamp when);
  void hear_alarms(timestamp now);
  void tidy(key_state& k);
  // plan_explain.cpp
  static std::vector<uuid> holders(const std::vector<entry*>& running);
  std::size_t tasks_before(const task& t, bucket& b, bool known, timestamp now);
  // dispatch: plan_dispatch.cpp
  line* front(bucket& b, timestamp now);
  void offer(bucket& b, timestamp now);
  static head head_of(bucket& b, const line& l);
  struct turn;
  void hand_to(signature& taker, line& l, turn& t);
  bool hand_out_aged(turn& t);
  bool news(const task& row) const;
  bool maybe_held(const task& row) const;
  entry& make_entry(task row);
  void add(task row, timestamp now, told_wait told = told_wait::unknown);
  void arrive(task row, timestamp now);
  void place(entry& e);
  void unplace(entry& e);
  void erase(const uuid& id);
  void trim(bucket& b);
  void put_back(entry& e, timestamp at);
  void wait_again(entry& e);
  void settle(entry& e, task_change change);
  task_change change_of(const entry& e, task_change::type what) const;
  void finish(entry& e, task_state state, std::string reason, std::optional<task_error> failure = {}, std::string result = {});
  void lose(entry& e);
  void release(entry& e, timestamp at);
  void watch(entry& e, timestamp now);
  void unwatch(entry& e);
  void send_marked(entry& e, timestamp now, std::string_view secret, std::vector<hand_out>& marked);
  /// It was given to a session and is not sent to it after all.
  void take_back(entry& e);
  void adopt(entry& e, session_id id, const taskmaster::fence& f, timestamp now);
  void ready(session_id id);
  const std::vector<signature*>& takers(bucket& b);
  signature* next_taker(bucket& b);
  void assign_to(entry& e, session_id id, std::string_view secret, timestamp now, std::map<session_id, std::vector<assignment>>& out);
  assignment assignment_of(const entry& e, std::string_view worker, std::string_view secret) const;
  void expire_due(timestamp now);
  // telling: plan_events.cpp
  void event(bucket& b, const task& row, task_state state, timestamp at);
  void event(const entry& e, task_state state, timestamp at) { event(*e.home->home, e.row, state, at); }
  told_wait tell_new(const task& row, timestamp now);
  told_wait tell_refilled(const task& row, timestamp now);
  told_wait tell_moved(const task& row, timestamp now);
  told_wait tell_released(const task& row, timestamp now);
  void tell_waiting(entry& e);
  void tell_left(const entry& e);
  void tell_due(timestamp now);
  void bury(const uuid& id, task_version lowest_news) { stones_.add(id, lowest_news, next_ticket_, clock_); }

  plan_options options_;
  std::mt19937_64 chance_;
  std::uint64_t term_ = 0, previous_term_ = 0, sequence_ = 0;
  timestamp took_over_at_ = timestamp::min();
  bool grace_ = false;

  entries entries_;
  std::map<bucket_key, std::unique_ptr<bucket>> buckets_;
  std::set<std::pair<timestamp, uuid>> expiries_;
  std::set<std::pair<timestamp, uuid>> silences_; // when who promised progress has been quiet for too long
  std::unordered_set<uuid> unsaved_;              // with a checkpoint that the database has not
  std::vector<kept_checkpoint> forgotten_;        // of tasks that have succeeded
  tombstones stones_;
  steady_time clock_{}; // as of the last sweep
  std::uint64_t next_ticket_ = 1;
  std::set<std::uint64_t> open_reads_;

  std::map<session_id, planned_session> sessions_;
  std::map<session_id, signature*> signature_of_;
  std::map<std::pair<std::vector<std::string>, std::vector<std::string>>, std::unique_ptr<signature>> signatures_;
  std::uint64_t generation_ = 1;

  std::unordered_map<std::string, std::unique_ptr<queue_state>> queues_;
  std::set<std::tuple<timestamp, std::string, std::string>> alarms_; // (when, queue, key): a token is there, or a bucket is full
  std::deque<std::pair<bucket_key, std::string>> thirsty_; // lines that want a refill of their own
  double virtual_now_ = 0;     // among queues
  timestamp due_until_ = timestamp::min(); // heads up to here are filed as ready
  std::uint32_t hand_outs_ = 0; // since the last one of an aged task

  std::vector<task_change> changes_;
  bool held_up_ = false;

  bool telling_ = false;
  timestamp telling_since_ = timestamp::min();
  std::vector<task_event> events_;
  std::set<position> coming_;                        // known, waiting, and not due as far as was told
  std::unordered_set<uuid> left_ready_;              // told to be due, and in no window any more
  std::unordered_set<uuid> unsettled_;               // what became of their last change is being read
  struct newcomer {
    std::uint64_t pass = 0; // of the scan, that met it last or could have
    timestamp at;
  };
  std::unordered_map<uuid, newcomer> newcomers_; // told to exist
  timestamp forgotten_until_; // what was told of older ones is not kept
  std::uint64_t pass_ = 0;
};

} // namespace taskmaster
