// Workers come, claim what they hold, grant credit, and go (R10, R11).
#include "actors/plan.hpp"

#include "schema/mutant.hpp"

#include <algorithm>

namespace taskmaster {

void plan::open_session(session_id id, const hello& h) {
  auto& s = sessions_[id];
  s.worker = h.name;
  s.incarnation = h.incarnation;
  s.queues = h.queues;
  s.kinds = h.kinds;
  for (auto* names : {&s.queues, &s.kinds}) {
    std::sort(names->begin(), names->end());
    names->erase(std::unique(names->begin(), names->end()), names->end());
  }
  s.slots = h.slots;
  s.credit = std::max(0, h.credit);
  auto& sig = signatures_[{s.queues, s.kinds}];
  if (!sig) {
    sig = std::make_unique<signature>();
    sig->queues = s.queues;
    sig->kinds = s.kinds;
    ++generation_;
  }
  ++sig->members;
  signature_of_[id] = sig.get();
  ready(id);
}

void plan::session_lost(session_id id) {
  if (const auto it = sessions_.find(id); it != sessions_.end()) it->second.connected = false;
}

void plan::close_session(session_id id, session_id heir, timestamp now) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  it->second.connected = false;
  const auto tasks = std::move(it->second.tasks);
  it->second.tasks.clear();
  for (const auto& task : tasks) {
    const auto found = entries_.find(task);
    if (found == entries_.end()) continue;
    auto& e = *found->second;
    if (e.session != id || e.state != entry_state::assigned) continue; // settling and marking end by themselves
    if (heir && mutant("no_reconcile")) continue;
    heir ? release(e, now) : lose(e);
  }
  if (const auto sig = signature_of_.find(id); sig != signature_of_.end()) {
    if (--sig->second->members == 0) {
      signatures_.erase({sig->second->queues, sig->second->kinds});
      ++generation_;
    }
    signature_of_.erase(sig);
  }
  sessions_.erase(it);
}

void plan::credit(session_id id, std::int32_t more) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end() || more <= 0) return;
  it->second.credit += mutant("credit_twice") ? 2 * more : more;
  ready(id);
}

void plan::drain(session_id id) {
  if (const auto it = sessions_.find(id); it != sessions_.end()) it->second.draining = true;
}

void plan::started(session_id id, const uuid& task, const fence& f, timestamp at) {
  const auto it = entries_.find(task);
  if (it == entries_.end() || it->second->session != id || it->second->fence != f || it->second->started_at) return;
  auto& e = *it->second;
  e.started_at = std::max(at, e.picked_at);
  if (e.state == entry_state::assigned && !e.quiet_until) watch(e, *e.started_at); // a claim or a report has it watched from later on
}

void plan::adopt(entry& e, session_id id, const taskmaster::fence& f, timestamp now) {
  if (const auto old = sessions_.find(e.session); old != sessions_.end()) old->second.tasks.erase(e.row.id);
  unplace(e);
  if (e.fence != f) { // of an earlier leader: when it was picked and started is not known any more
    e.picked_at = now;
    e.started_at = now;
  }
  e.session = id;
  e.fence = f;
  if (telling_ && e.state == entry_state::waiting) {
    if (e.told == told_wait::later) event(e, task_state::ready, now); // it was due by a clock that has been set back since
    event(e, task_state::running, now);
  }
  set_state(e, entry_state::assigned);
  watch(e, now);
  sessions_.at(id).tasks.insert(e.row.id);
}

plan::claim_verdict plan::claimed_row(session_id id, const claim& c, const task* row, timestamp now) {
  if (!row || stones_.covers(c.task, {c.attempt, c.losses})) return claim_verdict::drop;
  if (!knows(c.task)) {
    if (version_of(*row) != task_version{c.attempt, c.losses} && !mutant("adopt_any_attempt")) return claim_verdict::drop;
    auto& e = make_entry(*row);
    if (e.state == entry_state::held) place(e);
  }
  const auto verdict = claimed(id, c, now);
  // Not adopted, and in no window: the database keeps it, a refill will bring it.
  if (const auto it = entries_.find(c.task);
      verdict == claim_verdict::drop && it != entries_.end() && it->second->state == entry_state::waiting && !it->second->placed)
    forget(it);
  return verdict;
}

plan::claim_verdict plan::claimed(session_id id, const claim& c, timestamp now, bool last) {
  const auto it = entries_.find(c.task);
  if (it == entries_.end()) {
    return stones_.covers(c.task, {c.attempt, c.losses}) ? claim_verdict::drop : claim_verdict::unknown;
  }
  auto& e = *it->second;
  if (version_of(e.row) != task_version{c.attempt, c.losses} && !mutant("adopt_any_attempt")) return claim_verdict::drop;
  switch (e.state) {
  case entry_state::assigned:
    if (e.fence != c.fence) return claim_verdict::drop;
    adopt(e, id, c.fence, now);
    return claim_verdict::keep;
  case entry_state::settling:
    if (e.fence != c.fence || e.taken) return claim_verdict::drop; // a worker that may keep what is being recorded as lost would begin with it
    e.session = id; // its result is on the way to the database
    return claim_verdict::keep;
  case entry_state::marking: return claim_verdict::drop;
  case entry_state::held:
    // Of the directly preceding term there is no greater fence elsewhere; older claims wait for all others (R11).
    if (grace_ && !last && c.fence.term != previous_term_ && c.fence.term != term_) return claim_verdict::wait;
    [[fallthrough]];
  case entry_state::waiting:
    if (!e.row.marked.none() && e.row.marked != c.fence) return claim_verdict::drop;
    if (e.row.delivery == delivery_mode::at_most_once && e.row.marked != c.fence) return claim_verdict::drop;
    // After the grace others may have been handed out in its place: then it has to stop, and waits for its turn.
    if (e.state == entry_state::waiting && !has_room(e)) return claim_verdict::drop;
    adopt(e, id, c.fence, now);
    return claim_verdict::keep;
  }
  return claim_verdict::drop;
}

std::vector<uuid> plan::in_hands(session_id id) const {
  std::vector<uuid> out;
  const auto s = sessions_.find(id);
  if (s == sessions_.end()) return out;
  for (const auto& task : s->second.tasks) {
    const auto e = entries_.find(task);
    if (e != entries_.end() && e->second->state == entry_state::assigned) out.push_back(task);
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace taskmaster
