// What memory stores of one cluster share: the tables of schema/migrations as maps, and the rules of its
// functions as members. Used by memory_store alone, which holds the mutex around each call.
#pragma once
#include "schema/store.hpp"

#include <functional>
#include <mutex>
#include <set>

namespace taskmaster {

class memory_database {
public:
  struct row {
    taskmaster::task task;
    std::map<std::string, std::string> labels;
    std::uint64_t xid = 0; // of its last change, as tasks.xid
    std::int32_t waits_for = 0;
    bool followed = false;
  };
  struct idempotency_entry {
    uuid task;
    std::string fingerprint;
    timestamp expires_at;
  };
  struct lease_row {
    std::uint64_t term = 0, previous_term = 0;
    std::string holder, address;
    timestamp expires_at;
  };
  using place = std::pair<timestamp, uuid>;

  explicit memory_database(std::function<timestamp()> clock) : clock_(std::move(clock)) {}

  timestamp now() const { return clock_(); }

  inserted insert(const new_task& wanted);
  // memory_graph.cpp
  std::vector<inserted> insert_graph(const std::vector<new_task>& rows);
  std::vector<edge> awaits(const uuid& id, std::size_t most) const;
  follow_up_page follow_up(std::size_t most);
  change_answer change(const task_change& what);
  expected<task> reopen(const uuid& id, duration wait);
  std::optional<task> edit(const task_edition& what);
  void keep(const kept_checkpoint& c);
  /// A row as the plan is to have it.
  task planned(const row& r) const;
  /// Deletes what is finished longer than `retention`, and expired keys (the answer counts those).
  std::int64_t forget(duration retention);

  // -- memory_schedules.cpp
  schedule_record put_schedule(schedule_record record);
  bool delete_schedule(const std::string& name);
  fired_schedule fire(const schedule_firing& what);
  schedule_page page_of_schedules(const std::string& cursor, std::size_t most) const;
  expected<ledger_page> page_of_ledger(const std::string& name, const std::string& cursor, std::size_t most) const;
  std::vector<uuid> unfinished_of(const std::string& schedule) const;
  void forget_firings(duration retention);

  /// Nothing when `term` leads.
  std::optional<error> deposed(std::uint64_t term) const;
  std::optional<task_record> find(const uuid& id) const;
  task_record show(const row& r) const;

  std::mutex mutex;
  std::map<uuid, row> tasks;
  std::map<uuid, task_record> history;
  std::map<uuid, std::vector<attempt_record>> attempts;
  std::map<uuid, std::shared_ptr<const std::string>> checkpoints;
  std::map<bucket_key, std::set<place>> windows;
  std::set<std::pair<std::uint64_t, uuid>> by_xid;
  std::set<std::string> queues;
  std::map<std::string, queue_settings> settings;
  std::map<std::string, schedule_record> schedules;
  std::map<std::pair<std::string, std::string>, std::uint64_t> sessions; // (worker, incarnation) -> term
  std::optional<lease_row> leader;
  std::uint64_t next_xid = 1000;

private:
  void put(row r);
  row take(std::map<uuid, row>::iterator at);
  change_answer finish(row r, const task_change& what);
  struct settled_edges {
    std::int32_t count = 0;
    std::optional<std::pair<task_state, uuid>> bad; // the end that the child shall have, and the parent that it is for
    std::string bad_state;
  };
  void settle(const uuid& child, const settled_edges& edges, follow_up_page& page);
  void release(std::map<uuid, row>::iterator at, timestamp run_at, std::string reason, follow_up_page& page);
  void note_run(const task& t, const task_change& what, std::string outcome);

  std::function<timestamp()> clock_;
  struct firing {
    uuid task;
    timestamp fired_at;
  };
  std::map<std::pair<std::string, timestamp>, firing> firings_;
  std::map<std::string, std::map<timestamp, ledger_row>> ledger_;
  std::map<uuid, std::map<uuid, edge>> edges_;  // parent -> child -> edge
  std::map<uuid, std::set<uuid>> parents_;      // child -> parents
  std::map<std::uint64_t, uuid> follow_ups_;
  std::uint64_t next_note_ = 1;
  struct unique_holder {
    uuid task;
    std::optional<timestamp> expires_at;
  };
  std::map<std::string, unique_holder> unique_keys_;
  void free_key(const task& t);
  std::map<std::string, idempotency_entry> idempotency_keys_;
};

/// The last run of a finished task, if it had one.
std::optional<attempt_record> last_run(const task_record& r);

} // namespace taskmaster
