// The checker's own books, kept apart from the system: what clients were told, what the database committed, what went over the links,
// what ran. Each entry is compared with what the protocol promises (ARCHITECTURE.md) at the moment it is made; what can only be seen
// at the end (lost, stuck) is looked for there. Nothing here reads the product's memory.
#pragma once
#include "actors/executor.hpp"
#include "schema/store.hpp"
#include "tests/simulate/world.hpp"

#include <array>
#include <set>

namespace taskmaster::simulate {

enum class broken : std::uint8_t {
  lost,            // acknowledged to a client, and not in the database at the end
  recorded_twice,  // one run's outcome, or one task's end, written twice; or one idempotency key stored as two tasks
  stale_applied,   // the outcome of a run that was not the task's current assignment
  early,           // handed out before run_at by the database's clock, or retried without the wait that was asked for
  over_credit,     // more given to a worker than it asked for, or more run than it has slots
  over_limit,      // more handed out than the queue's or the key's concurrency, or from a paused queue
  stuck,           // could run and was not finished long after the last fault
  at_most_once,    // an at_most_once attempt that started twice
  cancelled_ran,   // started after a client was told "cancelled"
  rerun,           // handed out after its end was committed
  two_leaders,     // handed out by a leader whose term was over
  forgotten,       // run by a worker that lived on and did not tell its outcome
  unrecorded,      // a worker was told "recorded" of what was not, or a client "finished" of what was not
  stale_start,     // a worker began with a run after it was committed as lost
  graph,           // released twice, or before what it waits for has ended so, or handed out while it waits
  schedule,        // an instant with two tasks, before its time, or without a task and not in the ledger
  mistold,         // a listener heard of an end that was not committed, of one twice, or not of one although no gap was told
  count_,
};
std::string_view to_string(broken b);

/// What a coordinator that stood still for a while may still say by what it knew before.
constexpr auto thaw_slack = seconds(15);

class books {
public:
  explicit books(world& w) : world_(w) {}

  // -- clients -------------------------------------------------------------------------------------------------------
  void acknowledged(const inserted& row, const std::string& idempotency_key);
  void told_cancelled(const uuid& id);
  void told_finished(const uuid& id);
  void told_changed(const uuid& id, const std::string& payload);

  // -- the database, at the moment of commit -------------------------------------------------------------------------
  void stored(const new_task& wanted, const inserted& row);
  void changed(const task_change& change, const change_answer& answer);
  void reopened(const task& row);
  void edited(const task_edition& what, const task& row);
  void kept(const kept_checkpoint& c);
  void settings(const queue_settings& s);
  void told_settings(const queue_settings& s); // a client was told that they are in force
  void new_term(std::uint64_t term);

  // -- graphs, books_graphs.cpp: the rows of one call, and what follow_up let go
  void stored_graph(const std::vector<new_task>& wanted, const std::vector<inserted>& rows);
  void released(const task& row);

  // -- schedules, books_schedules.cpp
  void schedule_put(const schedule_record& record);
  void fired(const schedule_firing& what, const fired_schedule& answer);

  // -- links: `stream` numbers one dialled connection ----------------------------------------------------------------
  struct session {
    std::uint64_t stream = 0;
    std::string worker, incarnation;
  };
  void hello_arrives(const session& s, const hello& h);
  void credit_arrives(const session& s, std::int32_t more);
  void results_arrive(const session& s, const finished_tasks& results);
  void assigned(const session& s, const assign& a);
  void welcomed(const session& s, const welcome& w);
  void told_recorded(const session& s, const taskmaster::acknowledged& a);

  // -- listeners (listener.cpp) --------------------------------------------------------------------------------------
  struct ending {
    uuid task;
    std::int32_t attempt = 0;
    task_state state{};
    steady_time at;
  };
  /// Every end that was committed, in order.
  const std::vector<ending>& endings() const { return endings_; }
  void mistold(const uuid& task, std::string sentence) { fault(broken::mistold, task, std::move(sentence)); }

  // -- executors -----------------------------------------------------------------------------------------------------
  void started(const std::string& worker, const execution& e, std::size_t running, std::size_t slots);

  // -- the end -------------------------------------------------------------------------------------------------------
  bool all_finished() const;
  /// `look`: what the database says of a task.
  void close(const std::function<std::optional<task_record>(const uuid&)>& look);

  std::size_t tasks() const { return tasks_.size(); }
  std::vector<uuid> ids() const;
  std::size_t count(broken b) const { return counts_[static_cast<std::size_t>(b)]; }
  bool clean() const { return !first_; }
  std::size_t count_graphs() const { return graphs_; }
  std::size_t count_edits() const { return edits_; }
  std::size_t count_instants() const { return instants_; }
  struct finding {
    broken what;
    uuid task;
    std::string sentence;
  };
  const std::optional<finding>& first() const { return first_; }

private:
  struct holding {
    claim what;
    session by;
    std::uint64_t term = 0; // of the leader that gave or kept it
    bool done = false;      // its result has arrived
  };
  struct entry {
    task row; // as committed; meaningless once finished
    bool stored = false, acknowledged = false, finished = false, told_cancelled = false, was_cancelled = false, has_ended = false;
    task_state state = task_state::scheduled;
    std::set<fence> settled; // runs whose outcome is committed,
    std::set<std::string> lost; // or their loss
    std::set<fence> arrived; // runs whose result a coordinator has heard
    std::map<std::int32_t, int> starts{{0, 0}}; // of at_most_once, since it was stored or put back to work with that attempt
    std::set<std::string> ran; // fences of runs that started
    std::map<fence, std::uint64_t> kept; // the last term whose leader let a worker keep that run
    std::optional<holding> held;
    std::set<task_state> ends;      // in which it has ended, once or more
    std::vector<edge> waits_for;    // what it waited for when it was stored,
    bool waiting = false;           // and still does
    std::string group;
    std::set<std::string> editions; // payloads that were committed by changes
    std::string checkpoint;         // as committed
    std::map<fence, std::string> last_said; // checkpoint that came with a result
  };
  void fault(broken what, const uuid& task, std::string sentence);
  entry& at(const uuid& id) { return tasks_[id]; }
  void hold(entry& e, holding h);
  // books_limits.cpp
  void check_limits(const uuid& id, const entry& e);
  void check_rate(const uuid& id, const entry& e);
  void check_handed(const assignment& a, const entry& e);
  void check_instants(const std::string& name, const schedule_firing& what);

  struct queue_book {
    struct change {
      queue_settings settings;
      std::optional<steady_time> told;
    };
    std::vector<change> log;
    std::optional<steady_time> counted; // the bucket's level is as of then; nothing: not counted yet
    double level = 0;
  };
  struct schedule_book {
    duration every{0};
    schedule_state state;
    std::map<timestamp, uuid> fired;
    std::set<timestamp> unfired;
    std::optional<timestamp> buffered;
  };
  world& world_;
  std::map<uuid, entry> tasks_;
  std::set<uuid> held_; // of tasks_
  std::map<std::string, queue_book> queues_;
  std::map<std::string, schedule_book> schedules_;
  std::map<std::string, uuid> keys_;
  std::vector<ending> endings_;
  std::map<std::uint64_t, std::int64_t> credit_; // by stream
  std::map<std::pair<std::string, std::string>, std::uint64_t> newest_; // the last stream on which a process said hello
  std::map<std::string, claim> claims_;          // by task and fence as text
  std::uint64_t term_ = 0, previous_term_ = 0;
  steady_time term_since_{};
  timestamp term_since_by_database_;
  std::array<std::size_t, static_cast<std::size_t>(broken::count_)> counts_{};
  std::optional<finding> first_;
  std::size_t graphs_ = 0, edits_ = 0, instants_ = 0;
};

} // namespace taskmaster::simulate
