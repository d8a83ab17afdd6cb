// What the plan tells of tasks' transitions, when somebody listens. Each is told once by one leader, though the plan forgets rows that
// lie beyond its windows and meets them again: what it has to remember for that is kept here, and only while it tells.
//
//   scheduled, ready   a row is met for the first time (after its insert is committed), or waits again (after that is committed)
//   ready              its run_at has come; of a row in no window then, when a refill brings it
//   running            it is handed out (at_most_once: after its mark is committed)
//   the final ones     the outcome is committed
#include "actors/plan.hpp"

#include "schema/graph.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

// Past these something may be told twice; the first needs a million inserts in the seconds that a scan reaches back, the second as many due
// tasks that lost their place in a window.
constexpr std::size_t newcomers_most = 1'000'000;
constexpr std::size_t left_most = 1'000'000;
// For so long it is remembered at least that a task was told to exist: an announce is not taken later, and of a younger row that a refill
// brings it is certain whether it was told.
constexpr std::chrono::seconds remembered{6}, young{5};

} // namespace

void plan::tell(bool on, timestamp now) {
  telling_ = on;
  telling_since_ = now;
  events_.clear();
  coming_.clear();
  left_ready_.clear();
  unsettled_.clear();
  newcomers_.clear();
  forgotten_until_ = {};
  if (!on) return;
  for (auto& [id, e] : entries_) {
    e->told = told_wait::unknown;
    if (!e->placed || e->state != entry_state::waiting) continue;
    e->told = e->row.run_at <= now ? told_wait::due : told_wait::later;
    if (e->told == told_wait::later) coming_.insert({e->row.run_at, id});
  }
}

void plan::event(bucket& b, const task& row, task_state state, timestamp at) {
  left_ready_.erase(row.id); // what was told of it before does not count any more,
  unsettled_.erase(row.id);  // and what became of its last change is known
  if (!b.where) b.where = std::make_shared<const bucket_key>(b.key);
  events_.push_back({{}, row.id, state, row.attempt, at, b.where});
}

plan::told_wait plan::tell_new(const task& row, timestamp now) {
  if (!telling_ || row.attempt != 1 || row.losses != 0 || row.created_at <= telling_since_ || !row.marked.none()) return told_wait::unknown;
  const auto [known, first] = newcomers_.try_emplace(row.id);
  known->second = {pass_, now};
  if (!first) return told_wait::unknown;
  if (newcomers_.size() > newcomers_most) newcomers_.erase(known);
  // `now` is a lower bound of the clock that set both times: due when it was inserted is due.
  const bool due = row.run_at <= std::max(now, row.created_at);
  event(bucket_of(row), row, due ? task_state::ready : task_state::scheduled, row.created_at);
  return due ? told_wait::due : told_wait::later;
}

plan::told_wait plan::tell_refilled(const task& row, timestamp now) {
  if (unsettled_.contains(row.id)) return tell_moved(row, now);
  // Its announce was lost and the scan has not come to it yet; older ones were met by the scan. The clock may have been set back since.
  return row.created_at > forgotten_until_ && row.created_at + young > now ? tell_new(row, now) : told_wait::unknown;
}

plan::told_wait plan::tell_moved(const task& row, timestamp now) {
  if (!telling_) return told_wait::unknown;
  const bool due = row.run_at <= now;
  event(bucket_of(row), row, due ? task_state::ready : task_state::scheduled, now);
  return due ? told_wait::due : told_wait::later;
}

plan::told_wait plan::tell_released(const task& row, timestamp now) {
  if (!telling_) return told_wait::unknown;
  // That it exists was told when it was stored, perhaps long ago; the scan meets it now.
  newcomers_[row.id] = {pass_, now};
  if (fate_of(row)) return told_wait::unknown; // it shall not run: the end will be told
  const bool due = row.run_at <= now;
  // A scan that met it before this answer came has told it, if it had no place for it.
  if (due && !left_ready_.erase(row.id)) event(bucket_of(row), row, task_state::ready, now);
  return due ? told_wait::due : told_wait::later;
}

void plan::tell_waiting(entry& e) {
  if (e.told == told_wait::due) return;
  const bool left = left_ready_.erase(e.row.id) > 0;
  // Due when it was inserted, or before anybody listened: told as such, or not to be told. One with a mark was handed out: it is not ready again.
  const bool over = e.told == told_wait::unknown &&
                    (left || !e.row.marked.none() || e.row.run_at <= e.row.created_at || e.row.run_at <= telling_since_);
  if (!over && e.row.run_at > due_until_) {
    coming_.insert({e.row.run_at, e.row.id});
    return;
  }
  e.told = told_wait::due;
  if (!over) event(e, task_state::ready, e.row.run_at);
}

void plan::tell_left(const entry& e) {
  if (e.told == told_wait::due && e.row.run_at > e.row.created_at && e.row.run_at > telling_since_ && left_ready_.size() < left_most)
    left_ready_.insert(e.row.id);
}

void plan::tell_due(timestamp now) {
  while (!coming_.empty() && coming_.begin()->run_at <= now) {
    auto& e = *entries_.at(coming_.begin()->id);
    coming_.erase(coming_.begin());
    e.told = told_wait::due;
    event(e, task_state::ready, e.row.run_at);
  }
}

void plan::scan_passed() {
  if (!telling_) return;
  // What this pass did not meet, though it was there when it began, the next will not meet either.
  std::erase_if(newcomers_, [this](const auto& n) {
    if (n.second.pass >= pass_ || n.second.at + remembered >= due_until_) return false;
    forgotten_until_ = std::max(forgotten_until_, n.second.at);
    return true;
  });
  ++pass_;
}

void plan::tell_end(const task_record& ended) {
  // Met by somebody else in between, its end is told with its own change.
  if (telling_ && unsettled_.erase(ended.task.id))
    event(bucket_of(ended.task), ended.task, ended.state, ended.finished_at.value_or(due_until_));
}

} // namespace taskmaster
