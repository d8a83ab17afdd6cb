// The plan hands out: what is due, to whom, in which order.
#include "actors/plan.hpp"

#include "schema/mutant.hpp"

#include <algorithm>

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
  out.checkpoint = e.row.checkpoint;
  out.heartbeat_timeout = options_of(e.row.options).heartbeat_timeout;
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
  e.silent = e.taken = false;
  if (!e.row.unique_key.empty() && options_of(e.row.options).scope == unique_scope::while_waiting) {
    set_state(e, entry_state::marking); // committed first, as R16's mark: who submits from then on is not answered with this one
    changes_.push_back(change_of(e, task_change::type::free_key));
  } else if (e.row.delivery == delivery_mode::at_most_once) {
    set_state(e, entry_state::marking); // R16: committed first, sent once
    changes_.push_back(change_of(e, task_change::type::mark));
    if (mutant("mark_after_dispatch")) {
      set_state(e, entry_state::assigned);
      out[id].push_back(assignment_of(e, s.worker, secret));
    }
  } else {
    set_state(e, entry_state::assigned);
    if (telling_) event(e, task_state::running, now);
    out[id].push_back(assignment_of(e, s.worker, secret));
  }
}

void plan::expire_due(timestamp now) {
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    auto& e = *entries_.at(expiries_.begin()->second);
    finish(e, task_state::expired, "expired");
  }
}

/// One call of dispatch().
struct plan::turn {
  timestamp now;
  std::string_view secret;
  std::map<session_id, std::vector<assignment>> given;
  std::vector<head> queues; // heap: each queue by its first bucket; the rank is the queue's
  std::vector<bucket*> aged;
};

plan::head plan::head_of(bucket& b, const line& l) { return {b.key.priority, std::max(l.rank, l.key->finish), l.head, &b}; }

plan::line* plan::front(bucket& b, timestamp now) {
  while (!b.ready.empty()) {
    auto& l = **b.ready.begin();
    if (l.head.run_at > now) file(l); // the clock's bound went back
    else if (l.rank < l.key->finish && b.ready.size() > 1) file(l); // its key had a turn in another bucket
    else if (!key_open(*l.key, now)) shut(*l.key, now);
    else return &l;
  }
  return nullptr;
}

void plan::offer(bucket& b, timestamp now) {
  const auto* l = front(b, now);
  if (!l) return;
  b.queue->turn.push_back(head_of(b, *l));
  std::push_heap(b.queue->turn.begin(), b.queue->turn.end());
}

void plan::hand_to(signature& taker, line& l, turn& t) {
  auto& k = *l.key;
  auto& q = *k.home;
  const auto& s = q.settings;
  const auto id = taker.ready.front();
  taker.ready.pop_front();
  sessions_.at(id).queued = false;
  virtual_now_ = std::max(virtual_now_, q.finish);
  q.finish = virtual_now_ + 1 / s.weight;
  // With no key in the queue there are no turns to take, and its kinds stand in one line by run_at.
  k.finish = q.keys.size() == 1 ? q.now : std::max(q.now, k.finish) + 1;
  if (s.rate && !(mutant("rate_not_taken") && sequence_ % 2)) q.meter.take(*s.rate, t.now);
  if (s.key_rate && !k.key.empty()) k.meter.take(*s.key_rate, t.now);
  assign_to(*entries_.at(l.head.id), id, t.secret, t.now, t.given);
  ready(id);
  ++hand_outs_;
}

bool plan::hand_out_aged(turn& t) {
  const auto before = t.now - options_.aged_after;
  while (!t.aged.empty()) {
    const auto at = std::min_element(t.aged.begin(), t.aged.end(), [](const bucket* a, const bucket* b) {
      if (a->oldest.empty() || b->oldest.empty()) return !a->oldest.empty();
      return (*a->oldest.begin())->head < (*b->oldest.begin())->head;
    });
    auto& b = **at;
    auto* l = b.oldest.empty() ? nullptr : *b.oldest.begin();
    if (l && !key_open(*l->key, t.now)) {
      shut(*l->key, t.now);
      continue;
    }
    auto* taker = l && l->head.run_at <= before && queue_open(*b.queue, t.now) ? next_taker(b) : nullptr;
    if (taker) {
      hand_to(*taker, *l, t);
      hand_outs_ = 0;
      return true;
    }
    t.aged.erase(at); // not in this turn
  }
  return false;
}

bool plan::dispatch(timestamp now, std::string_view secret, std::vector<hand_out>& out) {
  due_until_ = now;
  if (telling_) tell_due(now);
  expire_due(now);
  hear_alarms(now);
  turn t{now, secret, {}, {}, {}};
  std::vector<queue_state*> touched;
  for (auto& [key, b] : buckets_) {
    while (!b->later.empty() && (*b->later.begin())->head.run_at <= now) file(**b->later.begin());
    if (b->ready.empty() || !kind_open(*b) || !queue_open(*b->queue, now)) continue;
    if (b->queue->turn.empty()) touched.push_back(b->queue);
    offer(*b, now);
    if (!b->oldest.empty() && (*b->oldest.begin())->head.run_at <= now - options_.aged_after) t.aged.push_back(b.get());
  }
  const auto push = [&](queue_state& q) {
    if (q.turn.empty()) return;
    auto h = q.turn.front();
    h.rank = std::max(virtual_now_, q.finish);
    t.queues.push_back(h);
    std::push_heap(t.queues.begin(), t.queues.end());
  };
  std::sort(touched.begin(), touched.end(), [](const queue_state* a, const queue_state* b) { return a->settings.name < b->settings.name; });
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (auto* q : touched) push(*q);

  std::size_t given = 0;
  while (!t.queues.empty() && given < options_.dispatch_turn) {
    if (!t.aged.empty() && hand_outs_ + 1 >= options_.aged_share && hand_out_aged(t)) {
      ++given;
      continue;
    }
    std::pop_heap(t.queues.begin(), t.queues.end());
    const auto as = t.queues.back();
    t.queues.pop_back();
    auto& q = *as.from->queue;
    if (!queue_open(q, now)) {
      q.turn.clear(); // the whole queue is out of this turn, the others are not
      continue;
    }
    if (as.rank < std::max(virtual_now_, q.finish) && !t.queues.empty()) { // others have waited longer by now
      push(q);
      continue;
    }
    std::pop_heap(q.turn.begin(), q.turn.end());
    const auto filed = q.turn.back();
    q.turn.pop_back();
    auto& b = *filed.from;
    auto* l = front(b, now);
    if (l && head_of(b, *l) == filed) {
      // Nobody takes this kind, or nobody has credit: the bucket is out of this turn.
      if (auto* taker = next_taker(b)) {
        q.now = std::max(q.now, filed.rank);
        hand_to(*taker, *l, t);
        ++given;
        offer(b, now);
      }
    } else if (l) {
      offer(b, now);
    }
    push(q);
  }
  for (auto* q : touched) q->turn.clear();
  for (auto& [id, tasks] : t.given) out.push_back({id, std::move(tasks)});
  return given == options_.dispatch_turn;
}

std::optional<timestamp> plan::next_due(timestamp now) {
  std::optional<timestamp> next;
  const auto sooner = [&](timestamp t) {
    if (t > now && (!next || t < *next)) next = t;
  };
  for (const auto& [key, b] : buckets_) {
    if (!b->later.empty()) sooner((*b->later.begin())->head.run_at);
    const auto& rate = b->queue->settings.rate;
    if (rate && !b->ready.empty() && !b->queue->settings.paused) sooner(b->queue->meter.next(*rate, now));
  }
  if (!alarms_.empty()) sooner(std::get<0>(*alarms_.begin()));
  if (!expiries_.empty()) sooner(expiries_.begin()->first);
  if (!silences_.empty()) sooner(silences_.begin()->first);
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
