// The coordinator: one at a time leads. It feeds the plan, hands out what the plan decides, records outcomes, and alone changes a task
// after it was inserted. Event-based, never blocks: the database is reached through two lanes, writes (all of a task's writes in order,
// R7) and reads. `coordinator.cpp` wires messages to the methods here; `coordinator_work.cpp` moves tasks, `coordinator_sessions.cpp`
// deals with workers, `coordinator_requests.cpp` with clients, `coordinator_lease.cpp` with leading.
#pragma once
#include "actors/alarm_clock.hpp"
#include "actors/batch_pace.hpp"
#include "actors/coordinator_desk.hpp"
#include "actors/database_clock.hpp"
#include "actors/event_log.hpp"
#include "actors/lease_view.hpp"
#include "actors/metrics.hpp"
#include "actors/plan.hpp"
#include "actors/schedule_book.hpp"
#include "actors/store_lane.hpp"
#include "actors/worker_proxy.hpp"
#include "schema/submit_listener.hpp"

#include <deque>
#include <map>
#include <set>

namespace taskmaster {

struct coordinator_config {
  plan_options plan;
  session_timing timing;
  duration grace = std::chrono::milliseconds(1'000);   // after a takeover
  duration scan_every = std::chrono::seconds(1);
  duration keep_every = std::chrono::seconds(1); // checkpoints, each task's last one
  duration upkeep_every = std::chrono::hours(1);
  duration retention = std::chrono::hours(24 * 30); // of finished tasks
  std::shared_ptr<submit_listener> submits; // tasks by SQL are heard of at once; null: the scan brings them
  std::size_t waiters = 10'000;                        // clients waiting for an outcome
  std::size_t events_kept = 200'000;                   // 16 MB when they are all there
  duration events_for = std::chrono::seconds(60);      // events are written down for so long after the last question for them
  std::size_t events_pollers = 64;                     // schedulers that wait for events
};

/// A task that the plan does not know: its row, or its record when it has ended; neither when there is none.
struct row_or_record {
  std::optional<task> row;
  std::optional<task_record> record;
};
/// For a lane. Row first: a task that ends in between is found in the history.
expected<row_or_record> look_up_task(task_store& store, const uuid& id, task_store::timeout limit);

class coordinator_state {
public:
  using self_ptr = coordinator_desk_actor::stateful_pointer<coordinator_state>;
  static inline const char* name = "coordinator";

  void start(self_ptr self, coordinator_config config, store_lane_actor writes, store_lane_actor reads,
             std::shared_ptr<lease_view> view, std::shared_ptr<metrics> meters);

  // -- coordinator_lease.cpp: leading ----------------------------------------------------------------------------------
  void hear_lease(lease_event& event);
  void tick();
  void hear_submits();
  void stop();

  // -- coordinator_sessions.cpp: workers -------------------------------------------------------------------------------
  void hear_hello(session_hello& hello);
  void hear_worker(session_said& said);
  void proxy_down(const caf::down_msg& down);
  workers_answer list_workers() const;
  expected<done> drain(const std::string& id);

  // -- coordinator_requests.cpp: what clients ask of single tasks --------------------------------------------------------
  live_answer live(const live_request& request) const;
  caf::result<finish_answer> wait(const uuid& id, caf::timespan timeout);
  caf::result<cancel_answer> cancel(const uuid& id);
  caf::result<reopen_answer> reopen(const uuid& id, duration wait);
  // -- coordinator_edit.cpp: changes of waiting tasks --------------------------------------------------------------------
  caf::result<edit_answer> edit(const edit_request& request);
  // -- coordinator_limits.cpp: queues' settings, and why a task does not run --------------------------------------------
  caf::result<settings_answer> set_queue(const queue_change& change);
  reasons_answer explain(const task& row);
  // -- coordinator_schedules.cpp: what fires, and changes of schedules ----------------------------------------------------
  caf::result<schedule_answer> change_schedule(schedule_command& command);
  // -- coordinator_events.cpp: transitions, for who listens -------------------------------------------------------------
  caf::result<events_answer> events(const event_request& what, caf::timespan timeout);
  // -- coordinator_work.cpp: tasks on their way --------------------------------------------------------------------------
  void announce(announcement& tasks);
  /// Hands out, records, refills, arms the clock. Called once for all messages that were waiting.
  void woken();
  void rung(std::int64_t set_for);
  void work();
  void wake(); ///< have work() run after what is in the mailbox

private:
  using finish_promise = caf::typed_response_promise<finish_answer>;
  using cancel_promise = caf::typed_response_promise<cancel_answer>;

  /// A session as the coordinator keeps it beside the plan.
  struct session {
    worker_proxy_actor proxy;
    std::string peer;
    timestamp connected_at;
    bool connected = true;
    steady_time grace_ends{}; // when lost
  };
  /// A hello whose claims are being decided.
  struct arrival {
    session_hello said;
    std::vector<claim> keep, drop, waiting;
    std::size_t unknown = 0; // claims whose rows are being read
  };
  struct loaded {
    scan_cursor scan;
    std::vector<bucket_key> buckets;
    std::vector<session_row> sessions;
    std::vector<queue_settings> settings;
    std::vector<booked_schedule> schedules;
  };
  using settings_promise = caf::typed_response_promise<settings_answer>;
  struct waiter {
    std::uint64_t number;
    finish_promise promise;
  };

  // leading
  void load(const leader_lease& lease);
  void take_over(const leader_lease& lease, loaded& what);
  void end_grace();
  void step_down(const std::string& why);
  void scan();
  void scan_heard();
  void upkeep();
  void audit();
  bool leading() const;
  error not_leading() const;
  steady_time steady() const { return self_->system().clock().now(); }
  timestamp now() const { return clock_.at_least(steady()); }

  // workers
  void decide(session_id id);
  void welcome_if_decided(session_id id);
  void say_welcome(session_id id);
  void end_session(session_id id, session_id heir);
  void order(session_id id, to_worker message, bool close = false);
  void hear_results(session_id id, finished_tasks& said);
  void look_up(session_id id, std::vector<claim> unknown);

  // tasks
  void record();
  void recorded_batch(expected<recorded>& answer);
  void refill();
  void refill_keys();
  void change_next_queue();
  static expected<std::vector<booked_schedule>> read_schedules(task_store& s);
  void run_schedules();
  void fire_round(std::vector<booked_schedule> due);
  void fired(expected<schedule_round>& round);
  void next_schedule_order();
  void put_schedule(const schedule_command& command);
  void pause_schedule(const schedule_command& command);
  void remove_schedule(const schedule_command& command);
  void run_schedule(const schedule_command& command);
  void write_schedule(booked_schedule changed, bool created);
  bool schedule_failed(const error& e);
  void reload_schedules();
  void take_fired(std::vector<task>& tasks);
  void answer_schedule_order(schedule_answer answer);
  void cancel_task(const uuid& id, cancel_promise promise);
  /// coordinator_restored.cpp; `renewed`: how many rows this term has renewed so far.
  void renew_transactions(std::int64_t renewed);
  void follow_up(); ///< coordinator_graphs.cpp: tells tasks that wait what became of others
  void read_again(std::vector<uuid> ids);
  void hand_out(std::vector<plan::hand_out>& out);
  void acknowledge(const std::vector<plan::settled>& settled);
  void arm(std::optional<timestamp> due); ///< work() when the database's clock has got there, if that is before the next tick
  void ring(steady_time at);
  cancel_promise& await_cancel(const uuid& id);
  void cancel_decided(const uuid& id, const plan::cancel_decision& decision, cancel_promise promise);
  void end_waits();
  void edit_decided(const uuid& id, plan::edit_decision& decision, caf::typed_response_promise<edit_answer> promise);
  void write_edit(const uuid& id);

  // events
  void listen();
  void publish();
  void answer_pollers();
  void fail_pollers(const error& why);
  void fail_promises(const error& why);

  self_ptr self_ = nullptr;
  coordinator_config config_;
  store_lane_actor writes_, reads_;
  std::shared_ptr<lease_view> view_;
  std::shared_ptr<metrics> meters_;
  database_clock clock_;
  plan plan_;

  std::uint64_t term_ = 0; // 0: stands by
  std::uint64_t epoch_ = 0; // of leading; answers to questions of an earlier one are ignored
  std::string secret_;
  bool is_loaded_ = false;
  bool stopping_ = false;
  steady_time grace_ends_{};
  std::set<std::pair<std::string, std::string>> awaited_; // (worker, incarnation) of the last term that have not come back

  std::map<session_id, session> sessions_;
  std::map<session_id, arrival> arrivals_;
  std::deque<session_hello> early_; // hellos that came while loading

  scan_cursor scan_from_;
  // Transactions that no scan need read: every row of them was announced. Those before the scan's start are dropped.
  std::set<std::uint64_t> told_;
  bool scanning_ = false, upkeep_running_ = false;
  steady_time last_scan_{}, last_upkeep_{}, last_audit_{};
  bool heard_ = false;            // tasks were submitted by SQL, and no scan has begun since
  steady_time heard_scan_from_{}; // no scan for that before
  std::size_t refilling_ = 0;

  struct queue_order {
    queue_change change;
    settings_promise promise;
    bool answered = false; // with ec::ambiguous: asked again until the database says
  };
  std::deque<queue_order> queue_changes_; // one after the other: each builds on the last
  bool changing_queue_ = false;

  using schedule_promise = caf::typed_response_promise<schedule_answer>;
  struct schedule_order {
    schedule_command command;
    schedule_promise promise;
  };
  schedule_book schedules_;
  std::deque<schedule_order> schedule_orders_; // one after the other, and none while instants are being fired
  bool order_last_ = false;
  bool scheduling_ = false;                    // the store has been asked for something about schedules
  bool schedules_unsure_ = false;              // an answer was lost: read again before anything is decided
  steady_time schedule_again_{};
  std::size_t schedules_a_round_ = 500;
  /// A change of a waiting task under way; with `answered`, ambiguously, it is asked again until the database says.
  struct edit_order {
    task_edition edition;
    caf::typed_response_promise<edit_answer> promise;
    bool answered = false;
    steady_time again{};
  };
  std::unordered_map<uuid, edit_order> edits_;

  std::deque<task_change> outbox_;
  std::vector<task_change> in_flight_; // the batch under way; asked again until the database says
  std::vector<kept_checkpoint> keeping_; // written before it
  steady_time keep_from_{};              // checkpoints wait until then, unless there are changes to write
  batch_pace record_pace_;
  bool recording_ = false;
  steady_time record_again_{};
  std::vector<uuid> unread_; // to be read again; the database did not answer

  // Of tasks that wait for tasks: whether there are any, whether some may have to be told, and since when.
  bool edges_ = true, told_all_ = false, following_ = false;
  steady_time last_follow_up_{};

  std::unordered_map<uuid, std::vector<waiter>> waiters_;
  std::multimap<steady_time, std::pair<uuid, std::uint64_t>> wait_ends_;
  std::uint64_t waiter_number_ = 0;
  std::unordered_map<uuid, std::vector<cancel_promise>> cancels_;

  struct poller {
    event_request what;
    steady_time until;
    caf::typed_response_promise<events_answer> promise;
  };
  event_log events_{0};
  std::vector<poller> pollers_;
  steady_time listening_until_{};

  bool awake_ = false;
  alarm_clock alarms_;
};

/// `writes` and `reads` are lanes of the coordinator's own.
coordinator_desk_actor::behavior_type coordinator(coordinator_state::self_ptr self, coordinator_config config, store_lane_actor writes,
                                                  store_lane_actor reads, std::shared_ptr<lease_view> view,
                                                  std::shared_ptr<metrics> meters);

} // namespace taskmaster
