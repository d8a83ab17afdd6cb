#include "tests/simulate/books.hpp"

#include <algorithm>
#include <cmath>

namespace taskmaster::simulate {
namespace {

/// A clock bound 200 ppm slow and a tick are never the reason that something is early; nothing is allowed for them.
constexpr auto takeover_grace = milliseconds(900);
constexpr auto on_its_way = milliseconds(300);

std::string word(run_outcome o) {
  static constexpr const char* words[] = {"none", "succeeded", "failed", "refused", "deferred", "cancelled", "timeout", "returned"};
  return words[static_cast<std::size_t>(o)];
}

} // namespace

std::string_view to_string(broken b) {
  static constexpr std::string_view names[] = {"lost",  "recorded_twice", "stale_applied", "early", "over_credit", "over_limit",
                                               "stuck", "at_most_once",   "cancelled_ran", "rerun", "two_leaders", "forgotten", "unrecorded",
                                               "stale_start",  "graph", "schedule", "mistold"};
  return names[static_cast<std::size_t>(b)];
}

void books::fault(broken what, const uuid& task, std::string sentence) {
  world_.tell(task, "!! " + std::string(to_string(what)) + ": " + sentence);
  ++counts_[static_cast<std::size_t>(what)];
  if (!first_) first_ = finding{what, task, std::move(sentence)};
}

// -- clients -----------------------------------------------------------------------------------------------------------

void books::acknowledged(const inserted& row, const std::string& idempotency_key) {
  const auto& id = row.task.id;
  auto& e = at(id);
  world_.tell(id, row.repeated ? "a client is told that it is stored already" : "a client is told that it is stored");
  e.acknowledged = true;
  if (!e.stored) fault(broken::lost, id, "a client was told that it is stored, and it is not");
  if (idempotency_key.empty()) return;
  const auto known = keys_.find(idempotency_key);
  if (known != keys_.end() && known->second != id)
    fault(broken::recorded_twice, id, "the key " + idempotency_key + " stands for another task already: " + known->second.str());
}

void books::told_cancelled(const uuid& id) {
  auto& e = at(id);
  world_.tell(id, "a client is told that it is cancelled");
  // Somebody may have put it back to work before the answer arrived; that "cancelled" binds nobody.
  e.told_cancelled = e.finished && e.state == task_state::cancelled;
  if (!e.was_cancelled) fault(broken::unrecorded, id, "a client was told \"cancelled\", and that was never committed");
}

void books::told_finished(const uuid& id) {
  world_.tell(id, "a client that waits is told that it has ended");
  if (!at(id).has_ended) fault(broken::unrecorded, id, "a client was told that it has ended, and it has not");
}

// -- the database ------------------------------------------------------------------------------------------------------

void books::stored(const new_task& wanted, const inserted& row) {
  if (row.refused || row.repeated) return;
  auto& e = at(row.task.id);
  world_.tell(row.task.id, "stored: queue " + row.task.queue + ", kind " + row.task.kind + ", " +
                               std::string(to_string(row.task.delivery)) +
                               (row.task.concurrency_key.empty() ? "" : ", key " + row.task.concurrency_key));
  if (e.stored) fault(broken::recorded_twice, row.task.id, "it was stored twice");
  e.stored = true;
  e.row = row.task;
  e.group = options_of(row.task.options).group;
  const auto& key = wanted.spec.idempotency_key;
  if (!key.empty() && !keys_.emplace(key, row.task.id).second)
    fault(broken::recorded_twice, row.task.id, "the key " + key + " was stored before, as another task");
}

void books::changed(const task_change& c, const change_answer& answer) {
  if (answer.verdict != change_verdict::applied) {
    world_.tell(c.id, "a change of the run " + c.fence.str() + " changes nothing (" +
                          (answer.verdict == change_verdict::already ? "it is there already" : "it is stale") + ")");
    return;
  }
  auto& e = at(c.id);
  static constexpr const char* verbs[] = {"ends", "is to run again", "lost its worker", "is marked", "has freed its key"};
  world_.tell(c.id, std::string("committed: it ") + verbs[static_cast<std::size_t>(c.what)] +
                        (c.what == task_change::type::finish ? " " + std::string(to_string(c.state)) : "") + ", run " + c.fence.str() +
                        ", attempt " + std::to_string(c.version.attempt) + ", losses " + std::to_string(c.version.losses) +
                        (c.reason.empty() ? "" : ", " + c.reason));
  if (e.finished) fault(broken::recorded_twice, c.id, "it was changed after its end");
  if (c.what == task_change::type::free_key) return;
  if (c.what == task_change::type::mark) {
    e.row.marked = c.fence;
    return;
  }
  const bool by_a_run = !c.fence.none() && ((c.what == task_change::type::retry && c.reason != "returned") ||
                        (c.what == task_change::type::finish &&
                         (c.state == task_state::succeeded || (c.state == task_state::failed && c.reason != "lost" && c.reason != "quarantined"))));
  if (by_a_run) {
    if (!e.settled.insert(c.fence).second) fault(broken::recorded_twice, c.id, "the outcome of the run " + c.fence.str() + " was recorded twice");
    const bool taken = c.failure && c.failure->code == "heartbeat"; // for its silence; its worker may have been told to drop it
    if (e.held ? e.held->what.fence != c.fence : !taken)
      fault(broken::stale_applied, c.id,
            "the outcome of the run " + c.fence.str() + " was recorded, and the run that counts is " +
                (e.held ? e.held->what.fence.str() : std::string("none")));
    if (!e.arrived.contains(c.fence) && !taken)
      fault(broken::stale_applied, c.id, "the outcome of the run " + c.fence.str() + " was recorded, and nobody has said one");
    if (c.state == task_state::succeeded && c.what == task_change::type::finish && c.result.find(c.fence.str()) == c.result.npos)
      fault(broken::stale_applied, c.id, "the result of another run was recorded as that of " + c.fence.str() + ": " + c.result);
    if (const auto said = e.last_said.find(c.fence); said != e.last_said.end() && c.what == task_change::type::retry && e.checkpoint != said->second)
      fault(broken::forgotten, c.id, "the checkpoint " + said->second + " came with the outcome of the run " + c.fence.str() + ", and was not kept with it");
  } else if (c.what == task_change::type::lose || c.reason == "lost" || c.reason == "quarantined") {
    e.lost.insert(c.fence.str());
  } else if (!c.fence.none()) {
    e.settled.insert(c.fence);
  }
  e.held.reset();
  held_.erase(c.id);
  switch (c.what) {
  case task_change::type::finish:
    e.finished = e.has_ended = true;
    e.state = c.state;
    e.ends.insert(c.state);
    e.waiting = false;
    endings_.push_back({c.id, c.version.attempt, c.state, world_.now()});
    e.was_cancelled = e.was_cancelled || c.state == task_state::cancelled;
    break;
  case task_change::type::retry:
    if (c.burned) {
      const auto& p = e.row.retry;
      const auto least = std::min(static_cast<double>(p.initial.count()) * std::pow(p.factor, e.row.failures),
                                  static_cast<double>(p.max.count()));
      if (static_cast<double>(c.wait.count()) < least * 0.999)
        fault(broken::early, c.id, "it is to run again after " + format_duration(c.wait) + ", sooner than its retry policy says");
      ++e.row.failures;
    }
    ++e.row.attempt;
    e.row.run_at = answer.run_at;
    e.row.marked = {};
    break;
  default:
    ++e.row.losses;
    e.row.run_at = answer.run_at;
    break;
  }
}

void books::reopened(const task& row) {
  auto& e = at(row.id);
  world_.tell(row.id, "committed: a client puts it back to work, attempt " + std::to_string(row.attempt));
  if (!e.finished) fault(broken::recorded_twice, row.id, "it was put back to work before its end");
  e.finished = e.told_cancelled = e.waiting = false;
  e.row = row;
  e.starts[row.attempt];
}

void books::new_term(std::uint64_t term) {
  world_.tell("term " + std::to_string(term) + " begins");
  previous_term_ = std::exchange(term_, term);
  term_since_ = world_.now();
  term_since_by_database_ = world_.database_time();
}

// -- links -------------------------------------------------------------------------------------------------------------

void books::hello_arrives(const session& s, const hello& h) {
  credit_[s.stream] = h.credit;
  newest_[{s.worker, s.incarnation}] = s.stream;
  // What this very process does not name it never received (R10).
  std::vector<uuid> gone;
  for (const auto& id : held_) {
    auto& e = at(id);
    if (e.held->by.worker != s.worker || e.held->by.incarnation != s.incarnation) continue;
    const auto named = std::any_of(h.held.begin(), h.held.end(), [&](const signed_claim& c) { return c.what == e.held->what; });
    if (!named) gone.push_back(id);
  }
  for (const auto& id : gone) {
    world_.tell(id, s.worker + " comes back and does not name it");
    if (at(id).ran.contains(at(id).held->what.fence.str()))
      fault(broken::forgotten, id, s.worker + " comes back, and has forgotten the run " + at(id).held->what.fence.str() + " that it started");
    at(id).held.reset();
    held_.erase(id);
  }
}

void books::credit_arrives(const session& s, std::int32_t more) { credit_[s.stream] += more; }

void books::results_arrive(const session& s, const finished_tasks& results) {
  for (const auto& r : results.results) {
    auto& e = at(r.what.what.task);
    world_.tell(r.what.what.task, "the result of " + s.worker + " arrives, run " + r.what.what.fence.str() + ": " +
                                      word(r.outcome));
    e.arrived.insert(r.what.what.fence);
    if (r.checkpoint) e.last_said[r.what.what.fence] = *r.checkpoint;
    if (e.held && e.held->what == r.what.what) e.held->done = true;
  }
}

void books::hold(entry& e, holding h) {
  if (e.held && e.held->term > h.term) return; // the word of a leader that is none any more
  const auto id = h.what.task;
  e.held = std::move(h);
  held_.insert(id);
}

void books::assigned(const session& s, const assign& a) {
  for (const auto& t : a.tasks) {
    const auto& c = t.what.what;
    auto& e = at(c.task);
    world_.tell(c.task, "given to " + s.worker + " on stream " + std::to_string(s.stream) + ", run " + c.fence.str() + ", attempt " +
                            std::to_string(c.attempt) + ", losses " + std::to_string(c.losses));
    claims_[c.task.str() + c.fence.str()] = c;
    if (--credit_[s.stream] < 0) fault(broken::over_credit, c.task, "it was given to " + s.worker + ", which had granted no credit for it");
    if (c.fence.term < term_) { // on its way since before the takeover; its lease forbids the worker to begin with it
      if (term_since_ + on_its_way < world_.now() && !world_.froze_within(thaw_slack) && !world_.clock_stepped_lately())
        fault(broken::two_leaders, c.task, "it was handed out in a term that is over");
      continue;
    }
    if (e.finished && !world_.froze_within(thaw_slack) && !world_.clock_stepped_lately()) fault(broken::rerun, c.task, "it was handed out after its end"); // R9 goes by that clock
    if (!e.finished && version_of(e.row) == task_version{c.attempt, c.losses} && e.row.run_at > world_.database_time_at_most())
      fault(broken::early, c.task,
            "it was handed out " + format_duration(e.row.run_at - world_.database_time_at_most()) + " before its time by the database's clock");
    if (!e.finished && version_of(e.row) > task_version{c.attempt, c.losses} && !world_.froze_within(thaw_slack))
      fault(broken::stale_applied, c.task, "it was handed out as it was before its last change");
    if (e.finished || version_of(e.row) != task_version{c.attempt, c.losses}) continue;
    if (e.held && e.held->what.fence > c.fence) continue; // a proxy that lagged says it, to a stream that is closed by now,
    if (s.stream < newest_[{s.worker, s.incarnation}]) continue; // or to one that its worker has left for a newer one
    check_handed(t, e);
    hold(e, {c, s, c.fence.term, false});
    check_limits(c.task, e);
    check_rate(c.task, e);
  }
}

void books::welcomed(const session& s, const welcome& w) {
  for (const auto& c : w.keep) {
    world_.tell(c.task, s.worker + " is to keep it, run " + c.fence.str());
    auto& e = at(c.task);
    e.kept[c.fence] = w.term;
    if (w.term >= term_ && !e.finished && version_of(e.row) == task_version{c.attempt, c.losses}) hold(e, {c, s, w.term, false});
  }
  for (const auto& c : w.drop) {
    world_.tell(c.task, s.worker + " is to drop it, run " + c.fence.str());
    const auto& e = at(c.task);
    // What the last leader's workers still had was not the new one's to give before the grace was over. Who missed a whole term is not waited for.
    const auto kept = e.kept.find(c.fence);
    const bool known = previous_term_ == (kept == e.kept.end() ? c.fence.term : kept->second);
    if (known && w.term == term_ && world_.now() < term_since_ + takeover_grace && !e.finished && version_of(e.row) == task_version{c.attempt, c.losses} &&
        e.held && e.held->what.fence.term == term_ && e.row.run_at <= term_since_by_database_ && e.row.created_at <= term_since_by_database_ &&
        !world_.clock_stepped_lately())
      fault(broken::rerun, c.task, "it was given to another in the grace, and " + s.worker + " has come back with it");
    if (e.held && e.held->what == c) {
      at(c.task).held.reset();
      held_.erase(c.task);
    }
  }
}

void books::told_recorded(const session& s, const taskmaster::acknowledged& a) {
  for (const auto& t : a.tasks) {
    world_.tell(t.task, s.worker + " is told \"" + (t.stale ? "stale" : "recorded") + "\" of the run " + t.fence.str());
    if (!t.stale && !at(t.task).settled.contains(t.fence))
      fault(broken::unrecorded, t.task, s.worker + " was told that its run " + t.fence.str() + " is recorded, and it is not");
  }
}

// -- executors ---------------------------------------------------------------------------------------------------------

void books::started(const std::string& worker, const execution& x, std::size_t running, std::size_t slots) {
  auto& e = at(x.task);
  world_.tell(x.task, worker + " starts it, run " + x.fence + ", attempt " + std::to_string(x.attempt));
  e.ran.insert(x.fence);
  if (e.lost.contains(x.fence) && !world_.clock_stepped_lately())
    fault(broken::stale_start, x.task, worker + " begins with the run " + x.fence + ", whose loss is committed");
  if (running > slots)
    fault(broken::over_credit, x.task, worker + " runs " + std::to_string(running) + " tasks on " + std::to_string(slots) + " slots");
  if (e.row.delivery == delivery_mode::at_most_once && ++std::prev(e.starts.upper_bound(x.attempt))->second > 1)
    fault(broken::at_most_once, x.task, "it started twice");
  if (e.told_cancelled && !world_.clock_stepped_lately()) fault(broken::cancelled_ran, x.task, "it started after a client was told that it is cancelled");
}

// -- the end -----------------------------------------------------------------------------------------------------------

bool books::all_finished() const {
  for (const auto& [name, s] : schedules_)
    if (s.state.next_at || s.state.buffered) return false;
  return std::all_of(tasks_.begin(), tasks_.end(), [](const auto& t) { return t.second.finished || !t.second.stored; });
}

void books::close(const std::function<std::optional<task_record>(const uuid&)>& look) {
  for (auto& [id, e] : tasks_) {
    const auto record = look(id);
    if (e.acknowledged && !record) fault(broken::lost, id, "a client was told that it is stored, and the database has no trace of it");
    if (record && finished(record->state) != e.finished) fault(broken::lost, id, "the database and what was committed say different things");
    if (!e.stored || e.finished) continue;
    fault(broken::stuck, id, "nothing stops it from running, and it has not ended long after the last fault");
  }
  for (const auto& [name, s] : schedules_)
    if (s.state.next_at || s.state.buffered) fault(broken::stuck, {}, "the schedule " + name + " has not come to its end");
}

std::vector<uuid> books::ids() const {
  std::vector<uuid> out;
  for (const auto& [id, e] : tasks_)
    if (e.stored) out.push_back(id);
  return out;
}

} // namespace taskmaster::simulate
