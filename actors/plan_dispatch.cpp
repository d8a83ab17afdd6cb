// The plan hands out: what is due, to whom, in which order.
#include "actors/plan.hpp"

#include <algorithm>
#include <queue>

namespace taskmaster {

bool plan::signature::accepts(const bucket_key& key) const {
  return (queues.empty() || std::binary_search(queues.begin(), queues.end(), key.queue)) &&
         std::binary_search(kinds.begin(), kinds.end(), key.kind);
}

const std::vector<plan::signature*>& plan::takers(bucket& b) {
  if (b.takers_of != generation_) {
    b.takers.clear();
    for (auto& [key, s] : signatures_)
      if (s->accepts(b.key)) b.takers.push_back(s.get());
    b.takers_of = generation_;
  }
  return b.takers;
}

plan::signature* plan::next_taker(bucket& b) {
  signature* best = nullptr;
  for (auto* s : takers(b)) {
    while (!s->ready.empty()) {
      const auto it = sessions_.find(s->ready.front());
      if (it != sessions_.end() && it->second.credit > 0 && it->second.connected && !it->second.draining) break;
      if (it != sessions_.end()) it->second.queued = false;
      s->ready.pop_front();
    }
    if (!s->ready.empty() && (!best || s->ready.size() > best->ready.size())) best = s;
  }
  return best;
}

void plan::ready(session_id id) {
  auto& s = sessions_.at(id);
  if (s.queued || s.credit <= 0 || s.draining || !s.connected) return;
  s.queued = true;
  signature_of_.at(id)->ready.push_back(id);
}

assignment plan::assignment_of(const entry& e, std::string_view worker, std::string_view secret) const {
  assignment out;
  out.what.what = {e.row.id, e.row.attempt, e.row.losses, e.fence};
  out.what.signature = sign(out.what.what, worker, secret);
  out.kind = e.row.kind;
  out.queue = e.row.queue;
  out.payload = e.row.payload;
  out.timeout = e.row.timeout;
  out.run_at = e.row.run_at;
  out.delivery = e.row.delivery;
  return out;
}

void plan::assign_to(entry& e, session_id id, std::string_view secret, timestamp now,
                     std::map<session_id, std::vector<assignment>>& out) {
  auto& s = sessions_.at(id);
  unplace(e);
  --s.credit;
  s.tasks.insert(e.row.id);
  e.session = id;
  e.fence = {term_, ++sequence_};
  e.picked_at = now;
  e.started_at.reset();
  e.progress.clear();
  if (e.row.delivery == delivery_mode::at_most_once) {
    e.state = entry_state::marking; // R16: committed first, sent once
    changes_.push_back(change_of(e, task_change::type::mark));
  } else {
    e.state = entry_state::assigned;
    out[id].push_back(assignment_of(e, s.worker, secret));
  }
}

void plan::expire_due(timestamp now) {
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    auto& e = *entries_.at(expiries_.begin()->second);
    finish(e, task_state::expired, "expired");
  }
}

bool plan::dispatch(timestamp now, std::string_view secret, std::vector<hand_out>& out) {
  expire_due(now);
  struct head {
    std::int32_t priority;
    position at;
    bucket* from;
    bool operator<(const head& other) const { // the greatest goes first
      return priority != other.priority ? priority < other.priority : at > other.at;
    }
  };
  std::priority_queue<head> heads;
  const auto push = [&](bucket& b) {
    if (!b.waiting.empty() && b.waiting.begin()->run_at <= now) heads.push({b.key.priority, *b.waiting.begin(), &b});
  };
  for (auto& [key, b] : buckets_) push(*b);

  std::map<session_id, std::vector<assignment>> given;
  std::size_t turn = 0;
  while (!heads.empty() && turn < options_.dispatch_turn) {
    auto& b = *heads.top().from;
    heads.pop();
    auto* taker = next_taker(b);
    if (!taker) continue; // nobody takes this kind, or nobody has credit: the bucket is out of this turn, the others are not
    const auto id = taker->ready.front();
    taker->ready.pop_front();
    sessions_.at(id).queued = false;
    assign_to(*entries_.at(b.waiting.begin()->id), id, secret, now, given);
    ready(id);
    ++turn;
    push(b);
  }
  for (auto& [id, tasks] : given) out.push_back({id, std::move(tasks)});
  return turn == options_.dispatch_turn;
}

std::optional<timestamp> plan::next_due(timestamp now) const {
  std::optional<timestamp> next;
  const auto sooner = [&](timestamp t) {
    if (t > now && (!next || t < *next)) next = t;
  };
  for (const auto& [key, b] : buckets_)
    if (!b->waiting.empty()) sooner(b->waiting.begin()->run_at);
  if (!expiries_.empty()) sooner(expiries_.begin()->first);
  return next;
}

plan::live plan::running(const uuid& id) const {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return {};
  const auto& e = *it->second;
  const bool out = e.state == entry_state::assigned || (e.state == entry_state::settling && !e.fence.none());
  if (!out) return {};
  return {&e.row, e.session, e.fence, e.picked_at, e.started_at, e.progress};
}

} // namespace taskmaster
