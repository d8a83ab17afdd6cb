// Queues' settings, written by the leader alone, and the explanation of why a task does not run.
#include "actors/coordinator.hpp"

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
constexpr std::size_t changes_most = 1'000;

} // namespace

caf::result<settings_answer> coordinator_state::set_queue(const queue_change& change) {
  auto promise = self_->make_response_promise<settings_answer>();
  if (!leading()) {
    promise.deliver(settings_answer(not_leading()));
  } else if (const auto fault = validate(change)) {
    promise.deliver(settings_answer(*fault));
  } else if (queue_changes_.size() >= changes_most) {
    promise.deliver(settings_answer(error{ec::exhausted, "a thousand changes of queues are under way, try again"}));
  } else {
    queue_changes_.push_back({change, promise});
    change_next_queue();
  }
  return promise;
}

void coordinator_state::change_next_queue() {
  while (!queue_changes_.empty() && !changing_queue_) {
    auto& order = queue_changes_.front();
    auto settings = changed(plan_.settings_of(order.change.name), order.change);
    if (!settings) {
      order.promise.deliver(settings_answer(settings.failure()));
      queue_changes_.pop_front();
      continue;
    }
    changing_queue_ = true;
    ask_store(
        self_, writes_, [term = term_, s = *settings](task_store& store) { return store.set_queue(term, s, limit); },
        [this, s = *settings, epoch = epoch_](expected<done>& written) {
          if (epoch != epoch_) return; // its promise was answered when this coordinator stepped down
          changing_queue_ = false;
          auto& order = queue_changes_.front();
          const auto answer = written ? settings_answer(s) : settings_answer(written.failure());
          if (!order.answered) order.promise.deliver(answer);
          if (!written && written.failure().code == ec::deposed) return step_down("another coordinator has taken over");
          // It may be there or not: the database and the plan must not differ, so it is asked again with the next tick.
          order.answered = order.answered || (!written && written.failure().code == ec::ambiguous);
          if (!written && order.answered) return;
          if (written) plan_.set_queue(s, now());
          queue_changes_.pop_front();
          wake();
          change_next_queue();
        });
  }
}

reasons_answer coordinator_state::explain(const task& row) {
  if (!leading()) return not_leading();
  const auto from_now = [this](steady_time t) { return now() + std::chrono::duration_cast<duration>(t - steady()); };
  explain_clock clock;
  if (plan_.in_grace()) clock.takeover_grace_ends = from_now(grace_ends_);
  clock.session_grace_ends = [&](session_id id) -> std::optional<timestamp> {
    const auto it = sessions_.find(id);
    if (it == sessions_.end() || it->second.connected) return {};
    return from_now(it->second.grace_ends);
  };
  return plan_.explain(row, now(), clock);
}

} // namespace taskmaster
