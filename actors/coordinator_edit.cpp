// Changes of waiting tasks: decided by the plan, written under the term, in the plan when answered.
#include "actors/coordinator.hpp"

#include "schema/graph.hpp"

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
constexpr std::size_t edits_most = 10'000;

error changing() {
  error e(ec::unavailable, "the task is changing at this moment, or a worker of the last leader may still have it; nothing was changed, try again");
  e.retry_after = std::chrono::seconds(1);
  return e;
}

} // namespace

expected<row_or_record> look_up_task(task_store& s, const uuid& id, task_store::timeout limit) {
  auto rows = s.load({id}, limit);
  if (!rows) return rows.failure();
  if (!rows->empty()) return row_or_record{std::move(rows->front()), {}};
  auto found = s.find(id, limit);
  if (!found) return found.failure();
  return row_or_record{{}, std::move(*found)};
}

caf::result<edit_answer> coordinator_state::edit(const edit_request& request) {
  auto promise = self_->make_response_promise<edit_answer>();
  if (!leading()) {
    promise.deliver(edit_answer(not_leading()));
    return promise;
  }
  if (edits_.size() >= edits_most) {
    promise.deliver(edit_answer(error{ec::exhausted, "10000 changes of tasks are under way, try again"}));
    return promise;
  }
  auto decision = plan_.edit(request.id, request.what, now());
  if (decision.step != plan::edit_step::unknown || decision.refused) {
    edit_decided(request.id, decision, promise);
    return promise;
  }
  ask_store(
      self_, reads_,
      [id = request.id](task_store& s) { return look_up_task(s, id, limit); },
      [this, request, promise, epoch = epoch_](expected<row_or_record>& found) mutable {
        if (epoch != epoch_) return void(promise.deliver(edit_answer(not_leading())));
        if (!found) return void(promise.deliver(edit_answer(found.failure())));
        if (!found->row && !found->record) return void(promise.deliver(edit_answer(error{ec::not_found, "there is no task " + request.id.str()})));
        if (!found->row) return void(promise.deliver(edit_answer(edit_verdict::finished)));
        auto decision = plan_.edit_row(std::move(*found->row), request.what, now());
        edit_decided(request.id, decision, promise);
      });
  return promise;
}

void coordinator_state::edit_decided(const uuid& id, plan::edit_decision& decision, caf::typed_response_promise<edit_answer> promise) {
  if (decision.refused) return void(promise.deliver(edit_answer(*decision.refused)));
  switch (decision.step) {
  case plan::edit_step::settling:
    edits_[id] = {std::move(decision.edition), promise, false, {}};
    return write_edit(id);
  case plan::edit_step::running: return void(promise.deliver(edit_answer(edit_verdict::running)));
  case plan::edit_step::finished: return void(promise.deliver(edit_answer(edit_verdict::finished)));
  case plan::edit_step::changing:
  case plan::edit_step::unknown: return void(promise.deliver(edit_answer(changing())));
  }
}

void coordinator_state::write_edit(const uuid& id) {
  auto& order = edits_.at(id);
  order.again = steady_time::max(); // until the answer is there
  ask_store(
      self_, writes_, [term = term_, what = order.edition](task_store& s) { return s.edit(term, what, limit); },
      [this, id, epoch = epoch_](expected<std::optional<task>>& row) {
        if (epoch != epoch_) return; // its promise was answered when this coordinator stepped down
        auto& order = edits_.at(id);
        const auto tell = [&](edit_answer answer) {
          if (!std::exchange(order.answered, true)) order.promise.deliver(std::move(answer));
        };
        if (!row) {
          const bool known = order.answered; // asked again after an ambiguous answer: only the row itself says what became of that
          tell(edit_answer(row.failure()));
          if (row.failure().code == ec::deposed) return step_down("another coordinator has taken over");
          if (known || row.failure().code == ec::ambiguous) {
            order.again = steady() + std::chrono::milliseconds(200);
            return;
          }
          plan_.edit_failed(id);
        } else {
          if (*row && order.edition.wait) clock_.witness((*row)->run_at - *order.edition.wait, steady()); // the database's clock at the change
          plan_.sweep(steady());
          plan_.edited(order.edition, *row, now());
          tell(*row ? edit_answer(edit_verdict::changed) : edit_answer(changing()));
        }
        // It may have changed otherwise; or been released, which goes by a task that is being changed.
        const bool read = row ? !*row : waits(order.edition.row);
        edits_.erase(id);
        if (read) read_again({id});
        wake();
      });
}

} // namespace taskmaster
