// Why a task does not run: the same gates that dispatch goes by, asked one by one for one task.
#include "actors/plan.hpp"
#include "schema/graph.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

std::string tasks(std::size_t n) { return n == 1 ? "1 task" : std::to_string(n) + " tasks"; }

} // namespace

std::vector<uuid> plan::holders(const std::vector<entry*>& running) {
  std::vector<uuid> ids;
  for (const auto* e : running) ids.push_back(e->row.id);
  const auto most = std::min(ids.size(), waits_for_most);
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(most), ids.end());
  ids.resize(most);
  return ids;
}

std::vector<task_reason> plan::explain(const task& row, timestamp now, const explain_clock& clock) {
  std::vector<task_reason> out;
  const auto it = entries_.find(row.id);
  const auto* e = it == entries_.end() ? nullptr : it->second.get();
  if (!e && stones_.finished(row.id)) return {{"finished", "it ended a moment ago", {}, {}}};
  if (e && e->state != entry_state::waiting) {
    const auto s = sessions_.find(e->session);
    const auto worker = s == sessions_.end() ? std::string("a worker") : "worker '" + s->second.worker + "'";
    if (e->state == entry_state::held)
      out.push_back({"grace", "a coordinator has just taken over: a worker of the last one may have this task, and may come back with it",
                     clock.takeover_grace_ends, {}});
    else if (e->state == entry_state::settling && e->fence.none())
      out.push_back({"finished", "its end is being recorded", {}, {}});
    else if (e->state == entry_state::settling)
      out.push_back({"running", "its run on " + worker + " is over and is being recorded", {}, {}});
    else if (s != sessions_.end() && !s->second.connected)
      out.push_back({"grace", worker + ", which had it, was cut off; if it does not come back, the task runs elsewhere",
                     clock.session_grace_ends(e->session), {}});
    else
      out.push_back({"running", "on " + worker + " since " + format_timestamp(e->picked_at), {}, {}});
    return out;
  }

  const task& t = e ? e->row : row;
  if (t.run_at > now && !waits(t)) // the scheduler says what it waits for
    out.push_back({"not_due", t.reason.empty() ? "it is due later" : "its next attempt is due later (" + t.reason + ")", t.run_at, {}});
  auto& q = queue_of(t.queue);
  const auto& set = q.settings;
  const auto found = q.keys.find(t.concurrency_key);
  auto* k = t.concurrency_key.empty() || found == q.keys.end() ? nullptr : found->second.get();
  if (set.paused) out.push_back({"queue_paused", "queue '" + t.queue + "' is paused", {}, {}});
  if (set.paused_kinds.contains(t.kind)) out.push_back({"queue_paused", "kind '" + t.kind + "' is paused in queue '" + t.queue + "'", {}, {}});
  if (set.paused_keys.contains(t.concurrency_key))
    out.push_back({"queue_paused", "key '" + t.concurrency_key + "' is paused in queue '" + t.queue + "'", {}, {}});

  auto& b = make_bucket({t.queue, t.kind, t.priority}, position::end());
  std::size_t workers = 0, credit = 0;
  for (const auto& [id, s] : sessions_) {
    const auto sig = signature_of_.find(id);
    if (!s.connected || s.draining || sig == signature_of_.end() || !sig->second->accepts(b.key)) continue;
    ++workers;
    credit += static_cast<std::size_t>(std::max(0, s.credit));
  }
  if (!workers) out.push_back({"no_worker", "no connected worker takes kind '" + t.kind + "' of queue '" + t.queue + "'", {}, {}});
  if (t.run_at > now) return out;

  if (!e && maybe_held(t))
    out.push_back({"grace", "a coordinator has just taken over: a worker of the last one may have this task, and may come back with it",
                   clock.takeover_grace_ends, {}});
  else if (grace_ && (set.concurrency || !t.concurrency_key.empty()))
    out.push_back({"grace", "a coordinator has just taken over: how many run under its limit is known when the last one's workers are back",
                   clock.takeover_grace_ends, {}});
  if (set.concurrency && q.running.size() >= static_cast<std::size_t>(*set.concurrency))
    out.push_back({"limit", tasks(q.running.size()) + " of queue '" + t.queue + "' may run at once, and as many do (concurrency " +
                                std::to_string(*set.concurrency) + ")", {}, holders(q.running)});
  if (k && k->running.size() >= static_cast<std::size_t>(set.key_concurrency))
    out.push_back({"limit", "key '" + t.concurrency_key + "' has " + tasks(k->running.size()) + " running (key_concurrency " +
                                std::to_string(set.key_concurrency) + ")", {}, holders(k->running)});
  if (set.rate && !q.meter.ready(*set.rate, now))
    out.push_back({"rate", "queue '" + t.queue + "' starts " + std::to_string(set.rate->limit) + " in " + format_duration(set.rate->period),
                   q.meter.next(*set.rate, now), {}});
  if (k && set.key_rate && !k->meter.ready(*set.key_rate, now))
    out.push_back({"rate", "key '" + t.concurrency_key + "' starts " + std::to_string(set.key_rate->limit) + " in " +
                               format_duration(set.key_rate->period), k->meter.next(*set.key_rate, now), {}});
  if (workers && !credit)
    out.push_back({"no_credit", std::to_string(workers) + (workers == 1 ? " worker takes" : " workers take") + " it, and no slot is free", {}, {}});

  const bool known = e && e->placed;
  const auto before = tasks_before(t, b, known, now);
  if (before)
    out.push_back({"behind", (known ? "" : "at least ") + tasks(before) + " of higher priority, or earlier in the same line, come first", {}, {}});
  if (out.empty()) out.push_back({"behind", "nothing comes before it: it goes with the next hand-out", {}, {}});
  return out;
}

std::size_t plan::tasks_before(const task& t, bucket& b, bool known, timestamp now) {
  const position at{t.run_at, t.id};
  std::size_t n = 0;
  for (auto& [key, other] : buckets_) {
    if (key.priority < t.priority || (key.priority == t.priority && other.get() != &b)) continue; // of one priority they take turns
    if (other->queue->settings.paused || !kind_open(*other)) continue;
    const auto& theirs = takers(*other);
    const auto& ours = takers(b);
    if (std::none_of(theirs.begin(), theirs.end(), [&](auto* s) { return std::find(ours.begin(), ours.end(), s) != ours.end(); })) continue;
    for (const auto& [name, l] : other->lines) {
      const bool same = other.get() == &b;
      if (l->place == line_place::shut && !(same && name == t.concurrency_key)) continue; // they hold nobody up
      if (same && name != t.concurrency_key && known) continue;                           // another key's turn is not before ours
      const auto end = same && known ? l->waiting.lower_bound(at) : l->waiting.upper_bound(position{now, window_mark::end().id});
      n += static_cast<std::size_t>(std::distance(l->waiting.begin(), end));
    }
  }
  return n;
}

} // namespace taskmaster
