// What clients ask of single tasks: how they run, to be told when they end, to cancel them, to put them back to work.
#include "actors/coordinator.hpp"

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
constexpr std::size_t live_most = 10'000;

} // namespace

live_answer coordinator_state::live(const live_request& request) const {
  if (!leading()) return not_leading();
  std::vector<live_task> out;
  const auto show = [&](const uuid& id) {
    const auto run = plan_.running(id);
    if (!run.row) return;
    const auto s = plan_.sessions().find(run.session);
    out.push_back({id, run.row->queue, s == plan_.sessions().end() ? "" : s->second.worker, run.fence, run.row->attempt, run.picked_at,
                   run.started_at, std::string(run.progress)});
  };
  if (!request.ids.empty()) {
    for (const auto& id : request.ids) show(id);
    return out;
  }
  for (const auto& [id, s] : plan_.sessions())
    for (const auto& task : s.tasks)
      if (out.size() < live_most) show(task);
  return out;
}

caf::result<finish_answer> coordinator_state::wait(const uuid& id, caf::timespan timeout) {
  auto promise = self_->make_response_promise<finish_answer>();
  if (!leading()) {
    promise.deliver(finish_answer(not_leading()));
    return promise;
  }
  if (plan_.recently_finished(id)) {
    promise.deliver(finish_answer(true));
    return promise;
  }
  if (wait_ends_.size() >= config_.waiters) {
    promise.deliver(finish_answer(error{ec::exhausted, "10000 clients wait for tasks already, try again"}));
    return promise;
  }
  const auto number = ++waiter_number_;
  waiters_[id].push_back({number, promise});
  wait_ends_.emplace(steady() + timeout, std::make_pair(id, number));
  return promise;
}

void coordinator_state::end_waits() {
  while (!wait_ends_.empty() && wait_ends_.begin()->first <= steady()) {
    const auto [id, number] = wait_ends_.begin()->second;
    wait_ends_.erase(wait_ends_.begin());
    const auto it = waiters_.find(id);
    if (it == waiters_.end()) continue;
    auto& list = it->second;
    for (auto w = list.begin(); w != list.end(); ++w) {
      if (w->number != number) continue;
      w->promise.deliver(finish_answer(false));
      list.erase(w);
      break;
    }
    if (list.empty()) waiters_.erase(it);
  }
}

caf::result<cancel_answer> coordinator_state::cancel(const uuid& id) {
  auto promise = self_->make_response_promise<cancel_answer>();
  if (leading()) cancel_task(id, promise);
  else promise.deliver(cancel_answer(not_leading()));
  return promise;
}

void coordinator_state::cancel_task(const uuid& id, cancel_promise promise) {
  const auto decision = plan_.cancel(id);
  if (decision.step != plan::cancel_step::unknown) return cancel_decided(id, decision, promise);
  ask_store(
      self_, reads_,
      [id](task_store& s) { return look_up_task(s, id, limit); },
      [this, id, promise, epoch = epoch_](expected<row_or_record>& found) mutable {
        if (epoch != epoch_) return void(promise.deliver(cancel_answer(not_leading())));
        if (!found) return void(promise.deliver(cancel_answer(found.failure())));
        if (!found->row && !found->record) return void(promise.deliver(cancel_answer(error{ec::not_found, "there is no task " + id.str()})));
        if (!found->row) {
          const auto state = std::string(to_string(found->record->state));
          return void(promise.deliver(cancel_answer(error{ec::conflict, "the task is finished already (" + state + ")"})));
        }
        cancel_decided(id, plan_.cancel_row(std::move(*found->row)), promise);
      });
}

void coordinator_state::cancel_decided(const uuid& id, const plan::cancel_decision& decision, cancel_promise promise) {
  switch (decision.step) {
  case plan::cancel_step::settling:
    cancels_[id].push_back(promise); // answered after commit
    break;
  case plan::cancel_step::requested:
    if (decision.session) order(decision.session, cancel_run{id, decision.fence, "cancelled by request"});
    promise.deliver(cancel_answer(cancel_verdict{false}));
    break;
  case plan::cancel_step::finished: promise.deliver(cancel_answer(error{ec::conflict, "the task is finished already"})); break;
  case plan::cancel_step::unknown: // its row is older than what is known: another change is being recorded
    promise.deliver(cancel_answer(error{ec::unavailable, "the task is changing at this moment, try again"}));
    break;
  }
  wake();
}

caf::result<reopen_answer> coordinator_state::reopen(const uuid& id, duration wait) {
  auto promise = self_->make_response_promise<reopen_answer>();
  if (!leading()) {
    promise.deliver(reopen_answer(not_leading()));
    return promise;
  }
  ask_store(
      self_, writes_, [term = term_, id, wait](task_store& s) { return s.reopen(term, id, limit, wait); },
      [this, promise, epoch = epoch_](expected<task>& row) mutable {
        promise.deliver(reopen_answer(row));
        if (epoch != epoch_) return;
        if (row) {
          plan_.reopened(std::move(*row), now());
          wake();
        } else if (row.failure().code == ec::deposed) {
          step_down("another coordinator has taken over");
        }
      });
  return promise;
}

void coordinator_state::fail_promises(const error& why) {
  for (auto& [id, list] : waiters_)
    for (auto& w : list) w.promise.deliver(finish_answer(why));
  waiters_.clear();
  wait_ends_.clear();
  for (auto& order : queue_changes_)
    if (!order.answered) order.promise.deliver(settings_answer(why));
  queue_changes_.clear();
  changing_queue_ = false;
  for (auto& order : schedule_orders_) order.promise.deliver(schedule_answer(why));
  schedule_orders_.clear();
  for (auto& [id, order] : edits_)
    if (!order.answered) order.promise.deliver(edit_answer(why));
  edits_.clear();
  for (auto& [id, list] : cancels_)
    for (auto& p : list) p.deliver(cancel_answer(why));
  cancels_.clear();
}

} // namespace taskmaster
