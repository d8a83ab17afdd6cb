// A scheduler that answers as it was told: the doors under test need no database. The script is set up by the test's thread and
// read by the actor under the script's mutex; what came in is kept for the test to look at.
#pragma once
#include "actors/interfaces.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace taskmaster::test {

struct script {
  std::mutex mutex;
  bool mute = false;              // takes requests and answers none
  std::optional<error> refuse;    // answers everything with this
  bool cancelled = true;          // the verdict of a cancel
  bool finished = true;           // the verdict of a wait
  std::size_t refuse_row = SIZE_MAX; // this row of a submit alone
  std::map<uuid, task_record> tasks; // what find, list, wait, cancel and retry know
  std::map<std::string, uuid> keys;
  std::vector<attempt_record> attempts;
  std::vector<queue_info> queues;
  std::map<std::string, queue_settings> settings; // what set_queue made; get knows these
  std::map<std::string, schedule_record> schedules; // what put made; the other verbs know these
  std::vector<task> run_tasks;                      // what a trigger or backfill submits
  std::vector<ledger_row> ledger;
  explanation why;                                // of every known task
  std::vector<worker_info> workers;
  event_log events{1'000};
  taskmaster::health health{true, true, ""};
  std::string next_cursor;

  // What came in.
  std::vector<task_spec> submitted;
  std::vector<task_filter> filters;
  std::vector<bulk_request> bulks;
  std::vector<schedule_command> commands;
  std::vector<schedule_query> queries;
  std::vector<edit_request> edits;
  std::vector<std::string> drained;
  std::vector<duration> waits;
  std::size_t calls = 0;
};

/// The clock of the fake's database.
timestamp fixed_now();

scheduler_actor spawn_fake_scheduler(caf::actor_system& system, std::shared_ptr<script> script);

/// An actor system as the program configures it, with a fake scheduler in it, taken down in order.
class fake_node {
public:
  fake_node();
  ~fake_node();
  caf::actor_system_config config;
  caf::actor_system system;
  std::shared_ptr<script> told = std::make_shared<script>();
  scheduler_actor scheduler;
  /// Changes the script while the actor may be reading it.
  void tell(const std::function<void(script&)>& change);
  void kill_scheduler();
  std::size_t calls();

private:
  static caf::actor_system_config& prepare(caf::actor_system_config& config);
};

} // namespace taskmaster::test
