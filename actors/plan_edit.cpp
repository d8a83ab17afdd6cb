// Changes of a waiting task by hand. The changed row has the next attempt number: a tombstone of that version keeps out every window, scan
// and announce of the task as it was (R8, R9), and no claim of it is adopted (R11).
#include "actors/plan.hpp"

#include "schema/graph.hpp"
#include "schema/mutant.hpp"

namespace taskmaster {

plan::edit_decision plan::edit(const uuid& id, const task_edit& what, timestamp now) {
  if (stones_.finished(id)) return {edit_step::finished, {}, {}};
  const auto it = entries_.find(id);
  if (it == entries_.end()) return {};
  auto& e = *it->second;
  switch (e.state) {
  case entry_state::assigned:
    if (mutant("change_of_given")) break;
    [[fallthrough]];
  case entry_state::marking: return {edit_step::running, {}, {}};
  case entry_state::settling: return {e.fence.none() ? edit_step::changing : edit_step::running, {}, {}};
  case entry_state::held: return {edit_step::changing, {}, {}}; // a worker of the last leader may have it
  case entry_state::waiting: break;
  }
  auto edition = taskmaster::edited(e.row, what, now);
  if (!edition) return {edit_step::unknown, edition.failure(), {}};
  unplace(e);
  set_state(e, entry_state::settling);
  e.editing = true;
  return {edit_step::settling, {}, std::move(*edition)};
}

plan::edit_decision plan::edit_row(task row, const task_edit& what, timestamp now) {
  const auto id = row.id;
  if (news(row)) {
    const auto told = tell_refilled(row, now);
    auto& e = make_entry(std::move(row));
    e.told = told;
    if (e.state == entry_state::held) place(e);
  }
  auto decision = edit(id, what, now);
  if (decision.step == edit_step::unknown && !decision.refused) decision.step = edit_step::changing; // the row read is older than what is known
  const auto it = entries_.find(id);
  if (it != entries_.end() && it->second->state == entry_state::waiting && !it->second->placed) {
    if (waits(it->second->row) && !mutant("refused_change_stays")) forget(it); // for other tasks; what is in the plan, follow_up would not bring
    else place(*it->second);
  }
  return decision;
}

void plan::edited(const task_edition& what, std::optional<task> row, timestamp now) {
  const auto id = what.row.id;
  if (const auto it = entries_.find(id); it == entries_.end() || !it->second->editing) return;
  erase(id);
  // Not changed: it is another version by now. Or, if it waited for others, the same one, released meanwhile.
  bury(id, row ? version_of(*row) : waits(what.row) ? what.of : task_version{what.of.attempt, what.of.losses + 1});
  if (row && waits(*row)) return; // it comes when those it waits for have ended
  if (telling_) unsettled_.insert(id);
  if (row) arrive(std::move(*row), now);
}

void plan::edit_failed(const uuid& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || !it->second->editing) return;
  it->second->editing = false;
  if (waits(it->second->row)) forget(it);
  else wait_again(*it->second);
}

} // namespace taskmaster
