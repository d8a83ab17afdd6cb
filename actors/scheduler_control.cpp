// Waiting for outcomes, cancelling, retrying, workers: questions to the leader.
#include "actors/scheduler.hpp"

#include "actors/bulk_change.hpp"

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
  const auto later = [this, client] {
    if (client->answered) return;
    if (next_round_.empty()) self_->delayed_send(self_, breath, tick_atom::value);
    next_round_.push_back(client);
  };
  // The leader is asked first and the database second: an outcome between the two is met by one of them.
  self_->request(coordinator_, part + caf::timespan(breath), wait_atom::value, client->id, part)
      .then(
          [this, client, later](const finish_answer& f) {
            if (!f) return later();
            if (client->answered) return;
            // A leader that knows the end answers faster than the database: one question at a time, or they pile up.
            if (client->looking) client->again = true;
            else wait_round(client);
          },
          [later](const caf::error&) { later(); });
  client->looking = true;
  look(client->id, [this, client](find_answer found) {
    client->looking = false;
    if (client->answered) return;
    if (!found) return answer_wait(client, wait_answer(found.failure()));
    const bool over = finished(found->state);
    if (over || now() >= client->until) answer_wait(client, wait_answer(waited{std::move(*found), over}));
    else if (std::exchange(client->again, false)) wait_round(client);
  });
}

void scheduler_state::next_rounds() {
  auto clients = std::move(next_round_);
  next_round_.clear();
  for (auto& client : clients)
    if (!client->answered) wait_round(client);
}

caf::result<cancelled_answer> scheduler_state::cancel(const uuid& id) {
  auto promise = self_->make_response_promise<cancelled_answer>();
  self_->request(coordinator_, caf::timespan(command_limit), cancel_atom::value, id)
      .then(
          [this, id, promise](const cancel_answer& verdict) mutable -> void {
            if (!verdict) return void(promise.deliver(cancelled_answer(verdict.failure())));
            look(id, [promise, cancelled = verdict->cancelled](find_answer found) mutable {
              if (!found) return void(promise.deliver(cancelled_answer(found.failure())));
              promise.deliver(cancelled_answer(cancelled_task{cancelled, std::move(*found)}));
            });
          },
          [promise](const caf::error& e) mutable { promise.deliver(cancelled_answer(unreachable(e, "the coordinator"))); });
  return promise;
}

caf::result<find_answer> scheduler_state::retry(const uuid& id) {
  auto promise = self_->make_response_promise<find_answer>();
  self_->request(coordinator_, caf::timespan(command_limit), retry_atom::value, id, caf::timespan(0))
      .then(
          [this, id, promise](const reopen_answer& row) mutable -> void {
            if (!row) return void(promise.deliver(find_answer(row.failure())));
            look(id, [promise](find_answer found) mutable { promise.deliver(std::move(found)); });
          },
          [promise](const caf::error& e) mutable { promise.deliver(find_answer(unreachable(e, "the coordinator"))); });
  return promise;
}

caf::result<find_answer> scheduler_state::edit(const edit_request& request) {
  auto promise = self_->make_response_promise<find_answer>();
  self_->request(coordinator_, caf::timespan(command_limit), edit_atom::value, request)
      .then(
          [this, id = request.id, promise](const edit_answer& verdict) mutable -> void {
            if (!verdict) return void(promise.deliver(find_answer(verdict.failure())));
            if (*verdict == edit_verdict::running)
              return void(promise.deliver(find_answer(error{ec::conflict, "the task is running, and only one that waits can be changed; nothing was changed"})));
            if (*verdict == edit_verdict::finished)
              return void(promise.deliver(find_answer(error{ec::conflict, "the task is finished, and only one that waits can be changed; nothing was changed"})));
            look(id, [promise](find_answer found) mutable { promise.deliver(std::move(found)); });
          },
          [promise](const caf::error& e) mutable { promise.deliver(find_answer(unreachable(e, "the coordinator"))); });
  return promise;
}

caf::result<bulk_answer> scheduler_state::bulk(bulk_request& request) {
  auto promise = self_->make_response_promise<bulk_answer>();
  if (bulks_ >= config_.bulks_most) {
    error full(ec::exhausted, std::to_string(config_.bulks_most) + " bulk requests are under way already, ask again when one has ended");
    full.retry_after = std::chrono::seconds(5);
    promise.deliver(bulk_answer(full));
    return promise;
  }
  ++bulks_;
  // Each of its own requests has a limit, and so it ends.
  auto one = self_->spawn(bulk_change, scheduler_actor(self_), coordinator_);
  self_->request(one, caf::infinite, bulk_atom::value, std::move(request))
      .then(
          [this, promise](bulk_answer& a) mutable {
            --bulks_;
            promise.deliver(std::move(a));
          },
          [this, promise](const caf::error& e) mutable {
            --bulks_;
            promise.deliver(bulk_answer(unreachable(e, "the bulk request")));
          });
  return promise;
}

caf::result<workers_answer> scheduler_state::workers() {
  auto promise = self_->make_response_promise<workers_answer>();
  self_->request(coordinator_, caf::timespan(command_limit), workers_atom::value)
      .then([promise](workers_answer& a) mutable { promise.deliver(std::move(a)); },
            [promise](const caf::error& e) mutable { promise.deliver(workers_answer(unreachable(e, "the coordinator"))); });
  return promise;
}

caf::result<done_answer> scheduler_state::drain(const std::string& id) {
  auto promise = self_->make_response_promise<done_answer>();
  self_->request(coordinator_, caf::timespan(command_limit), drain_atom::value, id)
      .then([promise](done_answer& a) mutable { promise.deliver(std::move(a)); },
            [promise](const caf::error& e) mutable { promise.deliver(done_answer(unreachable(e, "the coordinator"))); });
  return promise;
}

} // namespace taskmaster
