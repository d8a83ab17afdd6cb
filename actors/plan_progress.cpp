// What runs say of themselves: progress, checkpoints, and the silence of those who promised progress.
#include "actors/plan.hpp"
#include "schema/mutant.hpp"

namespace taskmaster {

void plan::progress(session_id id, const task_progress& p, timestamp now) {
  const auto it = entries_.find(p.task);
  if (it == entries_.end() || it->second->session != id || it->second->fence != p.fence || it->second->state != entry_state::assigned) return;
  auto& e = *it->second;
  if (!p.json.empty()) e.progress = p.json;
  if (p.checkpoint) {
    e.row.checkpoint = p.checkpoint;
    unsaved_.insert(p.task);
  }
  if (!e.silent) watch(e, now);
}

std::vector<kept_checkpoint> plan::take_checkpoints() {
  auto out = std::exchange(forgotten_, {});
  if (mutant("checkpoint_not_kept")) return out;
  for (const auto& id : std::exchange(unsaved_, {})) {
    const auto it = entries_.find(id);
    if (it != entries_.end() && it->second->row.checkpoint) out.push_back({id, version_of(it->second->row), it->second->row.checkpoint});
  }
  return out;
}

void plan::watch(entry& e, timestamp now) {
  const auto limit = options_of(e.row.options).heartbeat_timeout;
  if (limit == duration{0} || mutant("silence_unwatched")) return;
  unwatch(e);
  e.quiet_until = now + limit + options_.progress_slack;
  silences_.emplace(*e.quiet_until, e.row.id);
}

void plan::unwatch(entry& e) {
  if (!e.quiet_until) return;
  silences_.erase({*e.quiet_until, e.row.id});
  e.quiet_until.reset();
}

std::vector<plan::silence> plan::take_silent(timestamp now) {
  std::vector<silence> out;
  while (!silences_.empty() && silences_.begin()->first <= now) {
    auto& e = *entries_.at(silences_.begin()->second);
    unwatch(e);
    if (std::exchange(e.silent, true)) {
      // Told and still not over: the attempt ends here, and what its worker says of it later is stale.
      e.taken = true;
      run_result r;
      r.what.what = {e.row.id, e.row.attempt, e.row.losses, e.fence};
      r.outcome = run_outcome::cancelled;
      finished(e.session, r);
      continue;
    }
    out.push_back({e.session, e.row.id, e.fence});
    e.quiet_until = now + options_.silence_grace;
    silences_.emplace(*e.quiet_until, e.row.id);
  }
  return out;
}

} // namespace taskmaster
