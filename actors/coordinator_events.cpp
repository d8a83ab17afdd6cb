// Transitions of tasks, written down while somebody listens and given to who asks for them.
#include "actors/coordinator.hpp"

#include <algorithm>

namespace taskmaster {

void coordinator_state::listen() { listening_until_ = steady() + config_.events_for; }

caf::result<events_answer> coordinator_state::events(const event_request& what, caf::timespan timeout) {
  auto promise = self_->make_response_promise<events_answer>();
  if (!leading()) {
    promise.deliver(events_answer(not_leading()));
    return promise;
  }
  if (pollers_.size() >= config_.events_pollers) {
    error full(ec::exhausted, std::to_string(config_.events_pollers) + " schedulers wait for events already, which is the limit");
    full.retry_after = std::chrono::seconds(1);
    promise.deliver(events_answer(full));
    return promise;
  }
  listen();
  if (!plan_.telling()) plan_.tell(true, now());
  auto asked = what;
  asked.most = std::clamp<std::size_t>(what.most, 1, 5'000);
  pollers_.push_back({std::move(asked), steady() + timeout, promise});
  answer_pollers();
  return promise;
}

void coordinator_state::publish() {
  auto told = plan_.take_events();
  if (told.empty()) return;
  for (auto& e : told) events_.append(std::move(e));
  answer_pollers();
}

void coordinator_state::answer_pollers() {
  std::erase_if(pollers_, [this](poller& p) {
    auto page = events_.read(p.what);
    if (page.events.empty() && !page.gap && p.what.after && steady() < p.until) {
      p.what.after = page.next;
      return false;
    }
    p.promise.deliver(events_answer(std::move(page)));
    return true;
  });
  if (plan_.telling() && pollers_.empty() && steady() >= listening_until_) {
    plan_.tell(false, {});
    events_.skip();
  }
}

void coordinator_state::fail_pollers(const error& why) {
  for (auto& p : pollers_) p.promise.deliver(events_answer(why));
  pollers_.clear();
}

} // namespace taskmaster
