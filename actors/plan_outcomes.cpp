// What becomes of a run: results, losses, cancels, and what the database says to the changes they make (R5, R6, R15, R16).
#include "actors/backoff.hpp"
#include "actors/plan.hpp"
#include "schema/mutant.hpp"

#include <algorithm>

namespace taskmaster {

task_change plan::change_of(const entry& e, task_change::type what) const {
  task_change c;
  c.what = what;
  c.id = e.row.id;
  c.version = version_of(e.row);
  c.fence = e.fence;
  if (!e.fence.none()) {
    if (const auto s = sessions_.find(e.session); s != sessions_.end()) c.worker = s->second.worker;
    c.picked_at = e.picked_at;
    c.started_at = e.started_at;
  }
  return c;
}

void plan::settle(entry& e, task_change change) {
  unplace(e);
  unwatch(e);
  set_state(e, entry_state::settling);
  changes_.push_back(std::move(change));
  held_up_ = held_up_ || !e.home->key->key.empty() || e.home->key->home->settings.concurrency;
}

void plan::finish(entry& e, task_state state, std::string reason, std::optional<task_error> failure, std::string result) {
  auto c = change_of(e, task_change::type::finish);
  c.state = state;
  c.reason = std::move(reason);
  c.failure = std::move(failure);
  c.result = std::move(result);
  settle(e, std::move(c));
}

void plan::lose(entry& e) {
  const task_error failure{"lost", "the worker was lost while it had the task"};
  e.taken = true;
  if (e.cancel_requested) return finish(e, task_state::cancelled, "cancelled", failure);
  if (e.row.delivery == delivery_mode::at_most_once) return finish(e, task_state::failed, "lost", failure);
  if (e.row.losses + 1 >= options_.quarantine_after)
    return finish(e, task_state::failed, "quarantined",
                  task_error{"lost", std::to_string(e.row.losses + 1) + " workers were lost while they had this task"});
  auto c = change_of(e, task_change::type::lose);
  c.reason = "lost";
  c.failure = failure;
  settle(e, std::move(c));
}

void plan::release(entry& e, timestamp at) {
  // Never started anywhere, as far as its holder says (R10, or handed back).
  if (e.cancel_requested) return finish(e, task_state::cancelled, "cancelled");
  if (e.row.delivery == delivery_mode::at_most_once) return lose(e);
  put_back(e, at);
}

plan::result_verdict plan::finished(session_id id, const run_result& r) {
  const auto it = entries_.find(r.what.what.task);
  if (it == entries_.end()) return result_verdict::unknown;
  auto& e = *it->second;
  const bool current = e.fence == r.what.what.fence && version_of(e.row) == task_version{r.what.what.attempt, r.what.what.losses};
  if (!current && !mutant("no_fence_check")) return result_verdict::stale;
  if (e.state == entry_state::settling) { // sent again on a new stream while the change is under way
    if (sessions_.contains(id)) e.session = id;
    return result_verdict::settling;
  }
  if (e.state != entry_state::assigned) return result_verdict::stale;
  if (r.checkpoint) {
    e.row.checkpoint = r.checkpoint;
    unsaved_.insert(e.row.id);
  }
  if (e.silent && !e.cancel_requested &&
      (r.outcome == run_outcome::cancelled || r.outcome == run_outcome::failed || r.outcome == run_outcome::returned)) {
    auto as = r; // it was told to stop
    as.outcome = run_outcome::timeout;
    as.failure = task_error{"heartbeat", "no progress for " + format_duration(options_of(e.row.options).heartbeat_timeout) +
                                             " (heartbeat_timeout); it was stopped"};
    return finished(id, as);
  }

  const auto retry = [&](std::string reason, bool burned, duration wait) {
    auto c = change_of(e, task_change::type::retry);
    c.reason = std::move(reason);
    c.failure = r.failure;
    c.burned = burned;
    c.wait = mutant("no_backoff") ? duration(0) : wait;
    settle(e, std::move(c));
  };
  const bool once = e.row.delivery == delivery_mode::at_most_once;
  const auto chance = std::uniform_real_distribution<double>(0, 1)(chance_);
  switch (r.outcome) {
  case run_outcome::succeeded: finish(e, task_state::succeeded, "", {}, r.result); break;
  case run_outcome::cancelled:
    if (e.cancel_requested) {
      finish(e, task_state::cancelled, "cancelled", r.failure, r.result);
      break;
    }
    [[fallthrough]]; // the worker stopped it for a reason of its own
  case run_outcome::returned:
    if (once && !e.started_at && !e.cancel_requested) { // R16: sent, and not begun: its mark goes with this attempt
      retry("returned", false, duration(0));
      break;
    }
    if (e.cancel_requested || once || !e.started_at) {
      if (const auto s = sessions_.find(e.session); s != sessions_.end()) s->second.tasks.erase(e.row.id);
      const bool recorded = e.cancel_requested || once;
      release(e, due_until_);
      // Back in the line at once; the fence it had is answered as stale, which lets the worker forget it.
      return recorded ? result_verdict::settling : result_verdict::stale;
    }
    retry("returned", false, duration(0)); // interrupted by a drain: burns no attempt
    break;
  case run_outcome::deferred:
    if (e.cancel_requested) finish(e, task_state::cancelled, "cancelled", r.failure, r.result);
    else if (once || e.row.deferrals + 1 > options_.deferrals)
      finish(e, task_state::failed, "attempts_exhausted", r.failure, r.result);
    else retry("deferred", false, r.retry_after ? *r.retry_after : backoff(e.row.retry, 1, chance));
    break;
  case run_outcome::refused: finish(e, task_state::failed, "refused", r.failure, r.result); break;
  case run_outcome::failed:
  case run_outcome::timeout:
    if (e.cancel_requested) finish(e, task_state::cancelled, "cancelled", r.failure, r.result);
    else if (once || e.row.failures + 1 >= e.row.max_attempts)
      finish(e, task_state::failed, r.outcome == run_outcome::timeout ? "timeout" : "attempts_exhausted", r.failure, r.result);
    else
      retry(r.outcome == run_outcome::timeout ? "timeout" : "retry", true,
            std::max(backoff(e.row.retry, e.row.failures + 1, chance), r.retry_after.value_or(duration(0))));
    break;
  }
  return result_verdict::settling;
}

std::vector<task_change> plan::take_changes() { return std::exchange(changes_, {}); }

void plan::recorded(const std::vector<task_change>& changes, const taskmaster::recorded& answers, timestamp now, std::string_view secret,
                    std::vector<settled>& out, std::vector<hand_out>& marked,
                    std::vector<uuid>& read_again) {
  for (std::size_t i = 0; i < changes.size() && i < answers.answers.size(); ++i) {
    const auto& c = changes[i];
    const auto& a = answers.answers[i];
    const auto it = entries_.find(c.id);
    if (it == entries_.end()) continue;
    auto& e = *it->second;
    if (a.verdict == change_verdict::refused && (!c.result.empty() || c.failure)) {
      // The database will not take these bytes: the outcome counts, its text does not.
      auto bare = c;
      bare.result.clear();
      bare.failure.reset();
      changes_.push_back(std::move(bare));
      continue;
    }
    const bool applied = a.verdict == change_verdict::applied || a.verdict == change_verdict::already;
    if (applied && c.what == task_change::type::finish) {
      out.push_back({c.id, c.fence, e.session, true, c.state == task_state::cancelled, e.taken});
      if (c.state == task_state::succeeded && e.row.checkpoint) forgotten_.push_back({c.id, c.version, nullptr});
      const auto id = c.id;
      if (telling_) event(e, c.state, answers.now);
      erase(id);
      stones_.add_finished(id, c.version.attempt, next_ticket_, clock_);
      continue;
    }
    if (!applied) {
      // Somebody else's change, or ours whose answer was lost: the row itself says which.
      out.push_back({c.id, c.fence, e.session, false, false, true});
      if (e.state == entry_state::marking) take_back(e);
      read_again.push_back(c.id);
      const auto id = c.id;
      if (telling_) unsettled_.insert(id);
      const task_version lowest{c.version.attempt, c.version.losses + 1};
      erase(id);
      bury(id, lowest);
      continue;
    }
    if (const auto s = sessions_.find(e.session); s != sessions_.end() && c.what != task_change::type::mark && c.what != task_change::type::free_key)
      s->second.tasks.erase(c.id);
    switch (c.what) {
    case task_change::type::retry:
      out.push_back({c.id, c.fence, e.session, false, false, e.taken});
      ++e.row.attempt;
      if (c.burned) {
        ++e.row.failures;
        e.row.deferrals = 0;
      } else {
        ++e.row.deferrals;
      }
      e.row.run_at = a.run_at;
      e.row.reason = c.reason;
      e.row.marked = {};
      if (e.cancel_requested) release(e, answers.now);
      else put_back(e, answers.now);
      break;
    case task_change::type::lose:
      out.push_back({c.id, c.fence, e.session, false, false, true}); // its old holder, if it ever comes back, is stale
      ++e.row.losses;
      e.row.run_at = a.run_at;
      e.row.reason = c.reason;
      if (e.cancel_requested) release(e, answers.now);
      else put_back(e, answers.now);
      break;
    case task_change::type::free_key:
      if (e.row.delivery == delivery_mode::at_most_once && !e.cancel_requested) changes_.push_back(change_of(e, task_change::type::mark));
      else send_marked(e, now, secret, marked);
      break;
    case task_change::type::mark:
      e.row.marked = c.fence;
      if (mutant("mark_after_dispatch")) break;
      send_marked(e, now, secret, marked);
      break;
    case task_change::type::finish: break;
    }
  }
}

void plan::take_back(entry& e) {
  if (const auto s = sessions_.find(e.session); s != sessions_.end()) {
    s->second.tasks.erase(e.row.id);
    ++s->second.credit; // its worker grants a slot again only after a run
    ready(e.session);
  }
  e.session = 0;
  e.fence = {};
}

void plan::send_marked(entry& e, timestamp now, std::string_view secret, std::vector<hand_out>& marked) {
  const auto s = sessions_.find(e.session);
  if (e.cancel_requested) {
    take_back(e);
    finish(e, task_state::cancelled, "cancelled");
  } else if (s == sessions_.end() || !s->second.connected) {
    if (!e.row.marked.none()) return lose(e); // R16: sent on the session that had the credit, or never
    if (s != sessions_.end()) s->second.tasks.erase(e.row.id);
    wait_again(e);
  } else {
    set_state(e, entry_state::assigned);
    e.picked_at = now;
    if (telling_) event(e, task_state::running, now);
    marked.push_back({e.session, {assignment_of(e, s->second.worker, secret)}});
  }
}

plan::cancel_decision plan::cancel(const uuid& id) {
  if (stones_.finished(id)) return {cancel_step::finished, 0, {}};
  const auto it = entries_.find(id);
  if (it == entries_.end()) return {};
  auto& e = *it->second;
  switch (e.state) {
  case entry_state::waiting:
    finish(e, task_state::cancelled, "cancelled");
    e.cancel_requested = true;
    return {cancel_step::settling, 0, {}};
  case entry_state::held:
  case entry_state::marking: e.cancel_requested = true; return {cancel_step::requested, 0, {}};
  case entry_state::settling:
    if (e.editing) return {}; // who asks again in a moment learns whether it was in time
    e.cancel_requested = true;
    return {cancel_step::requested, 0, {}};
  case entry_state::assigned:
    if (mutant("cancelled_though_given")) {
      finish(e, task_state::cancelled, "cancelled");
      return {cancel_step::settling, 0, {}};
    }
    e.cancel_requested = true;
    return {cancel_step::requested, e.session, e.fence};
  }
  return {};
}

plan::cancel_decision plan::cancel_row(task row) {
  const auto id = row.id;
  if (news(row)) {
    tell_refilled(row, std::max(due_until_, row.created_at));
    auto& e = make_entry(std::move(row));
    if (e.state == entry_state::held) place(e);
  }
  return cancel(id);
}

} // namespace taskmaster
