// Waiting for outcomes, cancelling, retrying, workers: questions to the leader.
#include "actors/scheduler.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

constexpr auto command_limit = std::chrono::milliseconds(8'000);
// A wait is asked of the leader in slices: a leader that dies takes at most one with it.
constexpr auto slice = std::chrono::milliseconds(5'000);
constexpr auto breath = std::chrono::milliseconds(300);

} // namespace

void scheduler_state::answer_wait(const std::shared_ptr<waiting_client>& client, wait_answer answer) {
  if (client->answered) return;
  client->answered = true;
  --waiting_;
  client->promise.deliver(std::move(answer));
}

caf::result<wait_answer> scheduler_state::wait(const uuid& id, caf::timespan timeout) {
  auto promise = self_->make_response_promise<wait_answer>();
  if (waiting_ >= config_.waits_most) {
    error full(ec::exhausted, std::to_string(config_.waits_most) + " clients wait already, ask for the task again later");
    full.retry_after = std::chrono::seconds(1);
    promise.deliver(wait_answer(full));
    return promise;
  }
  ++waiting_;
  wait_round(std::make_shared<waiting_client>(waiting_client{id, now() + timeout, promise}));
  return promise;
}

void scheduler_state::wait_round(std::shared_ptr<waiting_client> client) {
  const auto left = client->until - now();
  const auto part = std::clamp<caf::timespan>(left, caf::timespan(0), caf::timespan(slice));
  // The leader is asked first and the database second: an outcome between the two is met by one of them.
  self_->request(coordinator_, part + caf::timespan(breath), wait_atom::value, client->id, part)
      .then([this, client](const finish_answer& f) {
        if (client->answered) return;
        if (f) return wait_round(client);
        self_->request(self_, caf::infinite, health_atom::value).then([](const health&) {}, [](const caf::error&) {});
      }, [](const caf::error&) {});
  look(client->id, [this, client](find_answer found) {
    if (client->answered) return;
    if (!found) return answer_wait(client, wait_answer(found.failure()));
    if (finished(found->state)) return answer_wait(client, wait_answer(waited{std::move(*found), true}));
    if (now() >= client->until) return answer_wait(client, wait_answer(waited{std::move(*found), false}));
  });
}

} // namespace taskmaster
