// Schedules: what is stored the database answers, what changes the leader does.
#include "actors/scheduler.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

constexpr auto command_limit = std::chrono::milliseconds(8'000);
constexpr auto read_limit = std::chrono::milliseconds(5'000);

expected<schedule_found> look_up(task_store& s, const schedule_query& q) {
  schedule_found out;
  if (q.what == schedule_query::verb::list) {
    auto page = s.schedules(q.cursor, q.limit, read_limit);
    if (!page) return page.failure();
    out.page = std::move(*page);
    return out;
  }
  auto one = s.find_schedule(q.name, read_limit);
  if (!one) return one.failure();
  if (!*one) return error{ec::not_found, "there is no schedule '" + q.name + "'"};
  out.page.schedules.push_back(std::move(**one));
  if (q.what == schedule_query::verb::find) return out;
  auto ledger = s.schedule_ledger(q.name, q.cursor, q.limit, read_limit);
  if (!ledger) return ledger.failure();
  out.ledger = std::move(*ledger);
  return out;
}

} // namespace

caf::result<schedule_answer> scheduler_state::change_schedule(const schedule_command& command) {
  auto promise = self_->make_response_promise<schedule_answer>();
  auto asked = command;
  if (asked.what == schedule_command::verb::trigger) asked.from = wall_now();
  self_->request(coordinator_, caf::timespan(command_limit), schedule_atom::value, asked)
      .then([promise](schedule_answer& a) mutable { promise.deliver(std::move(a)); },
            [promise](const caf::error& e) mutable { promise.deliver(schedule_answer(unreachable(e, "the coordinator"))); });
  return promise;
}

caf::result<schedule_found_answer> scheduler_state::ask_schedules(const schedule_query& query) {
  auto promise = self_->make_response_promise<schedule_found_answer>();
  if (reading_ >= config_.reads_most) {
    error full(ec::exhausted, std::to_string(config_.reads_most) + " questions are under way already, ask again in a second");
    full.retry_after = std::chrono::seconds(1);
    promise.deliver(schedule_found_answer(full));
    return promise;
  }
  ++reading_;
  ask_store(
      self_, reads_, [query](task_store& s) { return look_up(s, query); },
      [this, promise](schedule_found_answer& found) mutable {
        --reading_;
        promise.deliver(std::move(found));
      });
  return promise;
}

} // namespace taskmaster
