// The plan's windows: which rows are known, where they stand, and how the database's answers change that. Dispatching is in
// plan_dispatch.cpp, outcomes in plan_outcomes.cpp, sessions in plan_sessions.cpp.
#include "actors/plan.hpp"

#include <algorithm>

namespace taskmaster {

plan::plan(plan_options options) : options_(options), chance_(options.seed) {}

void plan::lead(const leader_lease& lease, bool grace) {
  resign();
  term_ = lease.term;
  previous_term_ = lease.previous_term;
  sequence_ = 0;
  took_over_at_ = lease.now;
  grace_ = grace;
}

void plan::resign() {
  entries_.clear();
  buckets_.clear();
  expiries_.clear();
  stones_.clear();
  open_reads_.clear();
  sessions_.clear();
  signature_of_.clear();
  signatures_.clear();
  changes_.clear();
  ++generation_;
  grace_ = false;
}

void plan::end_grace(timestamp now) {
  grace_ = false;
  for (auto& [key, b] : buckets_) {
    const auto held = std::move(b->held);
    b->held.clear();
    for (const auto& at : held) {
      auto& e = *entries_.at(at.id);
      e.placed = false;
      b->bytes -= e.row.payload ? e.row.payload->size() : 0;
      if (!e.row.marked.none()) {
        lose(e); // R16: marked and unclaimed
      } else if (e.cancel_requested) {
        finish(e, task_state::cancelled, "cancelled");
      } else {
        e.state = entry_state::waiting;
        place(e);
      }
    }
  }
  expire_due(now);
}

// -- windows -----------------------------------------------------------------------------------------------------------

void plan::load_buckets(const std::vector<bucket_key>& keys) {
  for (const auto& key : keys) {
    auto& slot = buckets_[key];
    if (slot) continue;
    slot = std::make_unique<bucket>();
    slot->key = key;
  }
}

plan::bucket& plan::bucket_of(const task& row) {
  const bucket_key key{row.queue, row.kind, row.priority};
  auto& slot = buckets_[key];
  if (!slot) {
    // No row of it was there at the load, and the scan meets every later one: nothing is unknown.
    slot = std::make_unique<bucket>();
    slot->key = key;
    slot->mark = position::end();
  }
  return *slot;
}

bool plan::news(const task& row) const { return !entries_.contains(row.id) && !stones_.covers(row.id, version_of(row)); }

bool plan::maybe_held(const task& row) const {
  // No earlier leader can have handed out what became due or was stored after the takeover (protocol 3.2 #21).
  return grace_ && ((row.run_at <= took_over_at_ && row.created_at <= took_over_at_) || !row.marked.none());
}

plan::entry& plan::make_entry(task row) {
  auto made = std::make_unique<entry>();
  auto& e = *made;
  e.row = std::move(row);
  e.home = &bucket_of(e.row);
  e.state = maybe_held(e.row) ? entry_state::held : entry_state::waiting;
  entries_.emplace(e.row.id, std::move(made));
  return e;
}

void plan::add(task row, timestamp now) {
  auto& e = make_entry(std::move(row));
  if (e.state == entry_state::waiting && !e.row.marked.none()) return lose(e); // R16
  if (e.state == entry_state::waiting && e.row.expires_at && *e.row.expires_at <= now)
    return finish(e, task_state::expired, "expired");
  place(e);
}

void plan::place(entry& e) {
  auto& b = *e.home;
  const position at{e.row.run_at, e.row.id};
  if (at > b.mark && e.state == entry_state::waiting) {
    // Beyond the mark: a later refill brings it. One in flight may have been asked before this row was there.
    if (b.filling && (!b.dropped || at < *b.dropped)) b.dropped = at;
    const auto id = e.row.id;
    bury(id, version_of(e.row));
    entries_.erase(id);
    return;
  }
  (e.state == entry_state::held ? b.held : b.waiting).insert(at);
  e.placed = true;
  b.bytes += e.row.payload ? e.row.payload->size() : 0;
  if (e.state == entry_state::waiting && e.row.expires_at) expiries_.emplace(*e.row.expires_at, e.row.id);
  if (b.waiting.size() > options_.window_rows * options_.window_most || b.bytes > options_.window_bytes * options_.window_most)
    trim(b);
}

void plan::unplace(entry& e) {
  if (!e.placed) return;
  const position at{e.row.run_at, e.row.id};
  e.home->waiting.erase(at);
  e.home->held.erase(at);
  e.home->bytes -= e.row.payload ? e.row.payload->size() : 0;
  e.placed = false;
  if (e.row.expires_at) expiries_.erase({*e.row.expires_at, e.row.id});
}

void plan::trim(bucket& b) {
  // Half goes, from the tail, so that a burst does not trim on every announce.
  const auto keep = std::max<std::size_t>(1, std::min(b.waiting.size() / 2, options_.window_rows * options_.window_most / 2));
  while (b.waiting.size() > keep) {
    const auto last = std::prev(b.waiting.end());
    const auto at = *last;
    auto& e = *entries_.at(at.id);
    bury(at.id, version_of(e.row));
    unplace(e);
    entries_.erase(at.id);
    b.mark = *std::prev(b.waiting.end());
    if (b.filling && (!b.dropped || at < *b.dropped)) b.dropped = at;
  }
}

void plan::put_back(entry& e) {
  e.state = entry_state::waiting;
  e.session = 0;
  e.fence = {};
  e.started_at.reset();
  e.progress.clear();
  place(e);
}

void plan::erase(const uuid& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  unplace(*it->second);
  if (const auto s = sessions_.find(it->second->session); s != sessions_.end()) s->second.tasks.erase(id);
  entries_.erase(it);
}

// -- what the database tells -------------------------------------------------------------------------------------------

std::uint64_t plan::open_read() {
  open_reads_.insert(next_ticket_);
  return next_ticket_++;
}

void plan::close_read(std::uint64_t ticket) { open_reads_.erase(ticket); }

std::vector<plan::refill> plan::take_refills(std::size_t most) {
  std::vector<refill> out;
  for (auto& [key, b] : buckets_) {
    if (out.size() >= most) break;
    if (b->filling || b->complete() || b->waiting.size() + b->held.size() >= options_.window_low) continue;
    b->filling = true;
    b->dropped.reset();
    out.push_back({open_read(), key, b->mark});
  }
  return out;
}

void plan::refilled(const refill& what, window_page page, timestamp now) {
  const auto found = buckets_.find(what.bucket);
  close_read(what.ticket);
  if (found == buckets_.end() || !found->second->filling) return;
  auto& b = *found->second;
  b.filling = false;
  auto mark = page.more && !page.tasks.empty() ? position{page.tasks.back().run_at, page.tasks.back().id} : position::end();
  if (b.dropped && *b.dropped <= mark) {
    // Everything before the first row left out is known; from there on the next refill looks again.
    mark = *b.dropped;
    mark.id.bytes.back() == 0 ? void(mark.run_at -= duration(1)) : void(--mark.id.bytes.back());
    if (mark < what.after) mark = what.after;
  }
  b.dropped.reset();
  b.mark = mark;
  for (auto& row : page.tasks) {
    if (position{row.run_at, row.id} > mark) break;
    if (news(row)) add(std::move(row), now);
  }
}

void plan::refill_failed(const refill& what) {
  close_read(what.ticket);
  if (const auto found = buckets_.find(what.bucket); found != buckets_.end()) found->second->filling = false;
}

void plan::scanned(std::vector<task> rows, timestamp now) {
  for (auto& row : rows)
    if (news(row)) add(std::move(row), now);
}

bool plan::announced(task row, timestamp now) {
  if (row.created_at <= took_over_at_ || row.created_at + options_.announce_age < now) return false;
  if (news(row)) add(std::move(row), now);
  return true;
}

void plan::met(task row, timestamp now) {
  if (news(row)) add(std::move(row), now);
}

void plan::reopened(task row, timestamp now) {
  stones_.forget(row.id);
  met(std::move(row), now);
}

void plan::gone(const uuid& id) {
  erase(id);
  bury(id, tombstones::never);
}

void plan::sweep(steady_time now) {
  clock_ = now;
  stones_.sweep(open_reads_.empty() ? next_ticket_ : *open_reads_.begin(), now, options_.tombstone_age);
}

plan::size plan::count() const {
  size n;
  n.entries = entries_.size();
  n.buckets = buckets_.size();
  n.tombstones = stones_.size();
  for (const auto& [key, b] : buckets_) {
    n.waiting += b->waiting.size();
    n.held += b->held.size();
  }
  for (const auto& [id, s] : sessions_) n.running += s.tasks.size();
  n.settling = n.entries - std::min(n.entries, n.waiting + n.held + n.running);
  return n;
}

} // namespace taskmaster
