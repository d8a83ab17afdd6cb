// Queues' settings, and why a task does not run: the leader decides and knows, the database says what exists.
#include "actors/scheduler.hpp"
#include "schema/graph.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

constexpr auto command_limit = std::chrono::milliseconds(8'000);

/// Without a leader nobody hands out; what the row itself says holds all the same.
std::vector<task_reason> without_leader(const task& row, timestamp now, const error& why) {
  std::vector<task_reason> out;
  if (row.run_at > now && !waits(row)) out.push_back({"not_due", "it is due later", row.run_at, {}});
  out.push_back({"no_leader", "no coordinator leads at the moment (" + why.message + "); tasks start when one does", {}, {}});
  return out;
}

/// What only the database knows.
std::vector<task_reason> of_waiting(const task_record& r) {
  if (!r.waits_for) return {};
  task_reason reason{"after", r.waits_for == 1 ? "it starts after 1 task that has not ended" : "it starts after " + std::to_string(r.waits_for) + " tasks that have not ended", {}, {}};
  for (const auto& e : r.after) {
    if (reason.waits_for.size() == waits_for_most) break;
    reason.waits_for.push_back(e.parent);
  }
  return {std::move(reason)};
}

explanation of_finished(const task_record& r) {
  explanation e{r.state, {}};
  const auto when = r.finished_at ? " at " + format_timestamp(*r.finished_at) : std::string();
  if (r.reason == "quarantined")
    e.reasons.push_back({"quarantined", std::to_string(r.task.losses + 1) +
                                            " workers were lost while they had this task, so it is not run again by itself; retry it by hand",
                         {}, {}});
  e.reasons.push_back({"finished", "it ended " + std::string(to_string(r.state)) + (r.reason.empty() ? "" : ", reason " + r.reason) + when, {}, {}});
  return e;
}

} // namespace

void scheduler_state::one_queue(const std::string& name, std::function<void(queue_answer)> then) {
  all_queues([name, then = std::move(then)](queues_answer all) {
    if (!all) return then(queue_answer(all.failure()));
    const auto it = std::find_if(all->begin(), all->end(), [&](const queue_info& q) { return q.counts.name == name; });
    if (it == all->end())
      return then(queue_answer(error{ec::not_found, "there is no queue '" + name + "'; one exists with its first task, or when its settings are put"}));
    then(queue_answer(std::move(*it)));
  });
}

caf::result<queue_answer> scheduler_state::queue(const std::string& name) {
  auto promise = self_->make_response_promise<queue_answer>();
  one_queue(name, [promise](queue_answer a) mutable { promise.deliver(std::move(a)); });
  return promise;
}

caf::result<queue_answer> scheduler_state::set_queue(const queue_change& change) {
  auto promise = self_->make_response_promise<queue_answer>();
  self_->request(coordinator_, caf::timespan(command_limit), set_queue_atom::value, change)
      .then(
          [this, promise](const settings_answer& settings) mutable -> void {
            if (!settings) return void(promise.deliver(queue_answer(settings.failure())));
            one_queue(settings->name, [promise](queue_answer a) mutable { promise.deliver(std::move(a)); });
          },
          [promise](const caf::error& e) mutable { promise.deliver(queue_answer(unreachable(e, "the coordinator"))); });
  return promise;
}

caf::result<explain_answer> scheduler_state::explain(const uuid& id) {
  auto promise = self_->make_response_promise<explain_answer>();
  look(id, [this, promise](find_answer found) mutable {
    if (!found) return void(promise.deliver(explain_answer(found.failure())));
    if (finished(found->state)) return void(promise.deliver(explain_answer(of_finished(*found))));
    const auto state = found->state;
    auto row = found->task;
    row.payload.reset(); // nobody reads it on the way
    const auto answer = [promise, state, first = of_waiting(*found)](std::vector<task_reason> reasons) {
      auto p = promise;
      reasons.insert(reasons.begin(), first.begin(), first.end());
      p.deliver(explain_answer(explanation{state, std::move(reasons)}));
    };
    self_->request(coordinator_, caf::timespan(command_limit), explain_atom::value, row)
        .then(
            [this, answer, row](const reasons_answer& reasons) {
              answer(reasons ? *reasons : without_leader(row, wall_now(), reasons.failure()));
            },
            [this, answer, row](const caf::error& e) { answer(without_leader(row, wall_now(), unreachable(e, "the coordinator"))); });
  });
  return promise;
}

} // namespace taskmaster
