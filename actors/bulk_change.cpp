#include "actors/bulk_change.hpp"

#include "actors/scheduler.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

constexpr std::size_t open_most = 256;
constexpr auto page_limit = std::chrono::seconds(10);
constexpr auto change_limit = std::chrono::seconds(8);

/// Whether it is the task that refused, so that the others still have their turn.
bool of_this_task(const error& e) { return e.code == ec::conflict || e.code == ec::not_found; }

duration spread(const rate_limit& rate, std::size_t place) {
  return duration(static_cast<std::int64_t>(static_cast<double>(rate.period.count()) * static_cast<double>(place) / static_cast<double>(rate.limit)));
}

} // namespace

void bulk_change_state::start(self_ptr self, scheduler_actor scheduler, coordinator_actor coordinator) {
  self_ = self;
  scheduler_ = std::move(scheduler);
  coordinator_ = std::move(coordinator);
}

caf::result<bulk_answer> bulk_change_state::run(bulk_request& request) {
  promise_ = self_->make_response_promise<bulk_answer>();
  auto promise = promise_;
  request_ = std::move(request);
  if (request_.filter.state) states_ = {*request_.filter.state};
  // In the direction that tasks move, so that one which moves on meanwhile is met again and not missed.
  else if (request_.what == bulk_request::verb::cancel) states_ = {task_state::scheduled, task_state::ready, task_state::running};
  else states_ = {task_state::failed};
  request_.filter.limit = limits::page;
  request_.filter.cursor.clear();
  request_.filter.state = states_.front();
  look();
  return promise;
}

void bulk_change_state::look() {
  self_->request(scheduler_, caf::timespan(page_limit), list_atom::value, request_.filter)
      .then(
          [this](const list_answer& page) -> void {
            if (!page) return answer(page.failure());
            for (const auto& r : page->tasks) ids_.push_back(r.task.id);
            if (ids_.size() > bulk_most)
              return answer(error(ec::unprocessable, "the filter matches more than " + std::to_string(bulk_most) +
                                                         " tasks, nothing was changed; narrow it by queue, kind, group, state or label"));
            request_.filter.cursor = page->next_cursor;
            if (!page->next_cursor.empty()) return look();
            states_.erase(states_.begin());
            if (!states_.empty()) {
              request_.filter.state = states_.front();
              return look();
            }
            std::sort(ids_.begin(), ids_.end());
            ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
            if (request_.rate && spread(*request_.rate, ids_.size()) > limits::horizon)
              return answer(error(ec::unprocessable, "at this rate the last of " + std::to_string(ids_.size()) +
                                                         " tasks would run in more than 10 years, nothing was changed; narrow the filter or raise the rate"));
            if (request_.dry_run) return answer(bulk_counts{ids_.size(), 0, true});
            act();
          },
          [this](const caf::error& e) { answer(unreachable(e, "the scheduler")); });
}

void bulk_change_state::act() {
  while (open_ < open_most && next_ < ids_.size() && !failure_) {
    const auto id = ids_[next_++];
    // The n-th becomes due n periods/limit after the first.
    const auto wait = request_.rate ? caf::timespan(spread(*request_.rate, next_ - 1)) : caf::timespan(0);
    ++open_;
    const auto late = [this](const caf::error& e) { one_answered(false, unreachable(e, "the coordinator")); };
    if (request_.what == bulk_request::verb::cancel)
      self_->request(coordinator_, caf::timespan(change_limit), cancel_atom::value, id)
          .then([this](const cancel_answer& a) { one_answered(bool(a), a ? std::nullopt : std::optional(a.failure())); }, late);
    else
      self_->request(coordinator_, caf::timespan(change_limit), retry_atom::value, id, wait)
          .then([this](const reopen_answer& a) { one_answered(bool(a), a ? std::nullopt : std::optional(a.failure())); }, late);
  }
  if (open_ > 0) return;
  if (!failure_) return answer(bulk_counts{ids_.size(), changed_, false});
  auto e = *failure_;
  e.message += "; " + std::to_string(changed_) + " of " + std::to_string(ids_.size()) + " tasks had been changed, ask again for the rest";
  answer(std::move(e));
}

void bulk_change_state::one_answered(bool changed, const std::optional<error>& failure) {
  --open_;
  if (changed) ++changed_;
  if (failure && !of_this_task(*failure)) failure_ = failure;
  act();
}

void bulk_change_state::answer(bulk_answer a) {
  promise_.deliver(std::move(a));
  self_->quit();
}

bulk_change_actor::behavior_type bulk_change(bulk_change_state::self_ptr self, scheduler_actor scheduler, coordinator_actor coordinator) {
  self->state.start(self, std::move(scheduler), std::move(coordinator));
  return {[self](bulk_atom, bulk_request& request) { return self->state.run(request); }};
}

} // namespace taskmaster
