// The plan's windows: which rows are known, where they stand, and how the database's answers change that. Dispatching is in
// plan_dispatch.cpp, outcomes in plan_outcomes.cpp, sessions in plan_sessions.cpp.
#include "actors/plan.hpp"

#include "schema/graph.hpp"
#include "schema/mutant.hpp"

#include <algorithm>

namespace taskmaster {

plan::plan(plan_options options) : options_(options), chance_(options.seed) {}

void plan::lead(const leader_lease& lease, bool grace, steady_time now) {
  resign();
  clock_ = now;
  term_ = lease.term;
  previous_term_ = lease.previous_term;
  sequence_ = 0;
  took_over_at_ = lease.now;
  grace_ = grace && !mutant("no_grace");
}

void plan::resign() {
  entries_.clear();
  buckets_.clear();
  queues_.clear();
  alarms_.clear();
  thirsty_.clear();
  expiries_.clear();
  silences_.clear();
  unsaved_.clear();
  forgotten_.clear();
  stones_.clear();
  open_reads_.clear();
  sessions_.clear();
  signature_of_.clear();
  signatures_.clear();
  changes_.clear();
  ++generation_;
  grace_ = false;
  virtual_now_ = 0;
  due_until_ = timestamp::min();
  tell(false, timestamp::min());
}

void plan::end_grace(timestamp now) {
  grace_ = false;
  std::vector<uuid> held;
  for (auto& [key, b] : buckets_)
    for (auto& [name, l] : b->lines)
      for (const auto& at : l->held) held.push_back(at.id);
  for (const auto& id : held) {
    auto& e = *entries_.at(id);
    unplace(e);
    if (!e.row.marked.none()) {
      lose(e); // R16: marked and unclaimed
    } else if (e.cancel_requested) {
      finish(e, task_state::cancelled, "cancelled");
    } else {
      set_state(e, entry_state::waiting);
      place(e);
    }
  }
  for (auto& [name, q] : queues_) readmit_all(*q); // what was held until it was known who runs
  expire_due(now);
}

// -- windows -----------------------------------------------------------------------------------------------------------

plan::bucket& plan::make_bucket(const bucket_key& key, position mark) {
  auto& slot = buckets_[key];
  if (!slot) {
    slot = std::make_unique<bucket>();
    slot->key = key;
    slot->mark = mark;
    slot->queue = &queue_of(key.queue);
    slot->plain = &line_of(*slot, "");
  }
  return *slot;
}

void plan::load_buckets(const std::vector<bucket_key>& keys) {
  for (const auto& key : keys) make_bucket(key, position::start());
}

plan::bucket& plan::bucket_of(const task& row) {
  // If it is new: no row of it was there at the load, and the scan meets every later one, so nothing is unknown.
  return make_bucket({row.queue, row.kind, row.priority}, position::end());
}

bool plan::news(const task& row) const {
  return !entries_.contains(row.id) && (mutant("no_tombstone") || !stones_.covers(row.id, version_of(row)));
}

bool plan::maybe_held(const task& row) const {
  // No earlier leader can have handed out what became due or was stored after the takeover (protocol 3.2 #21), nor what never will be.
  if (fate_of(row)) return false;
  return grace_ && ((row.run_at <= took_over_at_ && row.created_at <= took_over_at_) || !row.marked.none());
}

plan::entry& plan::make_entry(task row) {
  auto made = std::make_unique<entry>();
  auto& e = *made;
  e.row = std::move(row);
  auto& b = bucket_of(e.row);
  e.home = e.row.concurrency_key.empty() ? b.plain : &line_of(b, e.row.concurrency_key);
  ++e.home->users;
  stones_.forget(e.row.id); // what the plan knows is not overwritten anyway, and it is not finished
  entries_.emplace(e.row.id, std::move(made));
  set_state(e, maybe_held(e.row) ? entry_state::held : entry_state::waiting);
  return e;
}

void plan::add(task row, timestamp now, told_wait told) {
  if (waits(row)) return; // for other tasks; follow_up brings it
  auto& e = make_entry(std::move(row));
  e.told = told;
  if (const auto fate = fate_of(e.row); fate && e.state == entry_state::waiting) {
    if (fate->state == task_state::expired) return finish(e, task_state::expired, "expired");
    return finish(e, fate->state, "dependency", task_error{"dependency", fate->detail});
  }
  if (e.state == entry_state::waiting && !e.row.marked.none()) return lose(e); // R16
  if (e.state == entry_state::waiting && e.row.expires_at && *e.row.expires_at <= now)
    return finish(e, task_state::expired, "expired");
  place(e);
}

void plan::put_back(entry& e, timestamp at) {
  if (telling_) e.told = tell_moved(e.row, at);
  wait_again(e);
}

/// Without a word to who listens: it has not been anything else in between.
void plan::wait_again(entry& e) {
  unwatch(e);
  e.session = 0;
  e.fence = {};
  e.started_at.reset();
  e.progress.clear();
  set_state(e, entry_state::waiting);
  place(e);
}

void plan::forget(entries::iterator it) {
  auto& e = *it->second;
  unwatch(e);
  if (e.busy) vacate(e);
  auto& l = *e.home;
  entries_.erase(it);
  leave_line(l);
}

void plan::erase(const uuid& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  unplace(*it->second);
  if (const auto s = sessions_.find(it->second->session); s != sessions_.end()) s->second.tasks.erase(id);
  forget(it);
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
    if (b->filling || b->complete() || b->shut >= options_.shut_most) continue;
    if (b->waiting - b->shut + b->held >= options_.window_low) continue;
    b->filling = true;
    b->dropped.reset();
    out.push_back({open_read(), key, b->mark, b->own_keys});
  }
  return out;
}

plan::position plan::refill_mark(const window_page& page, std::optional<position>& dropped, const position& known) const {
  auto mark = position::end();
  if (page.more && page.walked) mark = *page.walked;
  else if (page.more && !page.tasks.empty()) mark = {page.tasks.back().run_at, page.tasks.back().id};
  if (dropped && *dropped <= mark) {
    // Everything before the first row left out is known; from there on the next refill looks again.
    mark = *dropped;
    mark.id.bytes.back() == 0 ? void(mark.run_at -= duration(1)) : void(--mark.id.bytes.back());
    if (mark < known) mark = known;
  }
  dropped.reset();
  return mark;
}

void plan::refilled(const refill& what, window_page page, timestamp now) {
  const auto found = buckets_.find(what.bucket);
  close_read(what.ticket);
  if (found == buckets_.end() || !found->second->filling) return;
  auto& b = *found->second;
  b.filling = false;
  const auto mark = refill_mark(page, b.dropped, b.mark); // not what.after: the bucket may have been trimmed to less since it was asked
  b.mark = mark;
  for (auto& row : page.tasks) {
    if (position{row.run_at, row.id} > mark) break;
    if (!news(row)) continue;
    const auto told = tell_refilled(row, now);
    add(std::move(row), now, told);
  }
}

void plan::refill_failed(const refill& what) {
  close_read(what.ticket);
  if (const auto found = buckets_.find(what.bucket); found != buckets_.end()) found->second->filling = false;
}

/// A row that is not known as it is: new, changed by what is not settled yet, or in no window when it was last here.
void plan::arrive(task row, timestamp now) {
  const auto told = unsettled_.erase(row.id) ? tell_moved(row, now) : tell_new(row, now);
  add(std::move(row), now, told);
}

void plan::scanned(std::vector<task> rows, timestamp now) {
  for (auto& row : rows) {
    if (mutant("scan_overwrites")) erase(row.id);
    if (news(row)) arrive(std::move(row), now);
  }
}

bool plan::announced(task row, timestamp now) {
  const bool young = row.created_at > took_over_at_ && row.created_at + options_.announce_age >= now;
  if (!young && !mutant("announce_of_any_age")) return false;
  if (news(row)) arrive(std::move(row), now);
  return true;
}

void plan::met(task row, timestamp now) {
  if (news(row)) arrive(std::move(row), now);
}

void plan::released(task row, timestamp now) {
  if (entries_.contains(row.id)) return; // it is being cancelled
  stones_.forget(row.id);
  const auto told = tell_released(row, now);
  add(std::move(row), now, told);
}

void plan::reopened(task row, timestamp now) {
  stones_.forget(row.id);
  if (entries_.contains(row.id)) return;
  if (telling_) unsettled_.insert(row.id);
  arrive(std::move(row), now);
}

bool plan::gone(const uuid& id) {
  if (entries_.contains(id)) return false;
  const auto known = stones_.lowest_news(id);
  unsettled_.erase(id);
  stones_.add_finished(id, known ? known->attempt : std::numeric_limits<std::int32_t>::max() - 1, next_ticket_, clock_);
  return true;
}

void plan::sweep(steady_time now) {
  clock_ = now;
  if (mutant("tombstone_not_for_scans")) return stones_.sweep(next_ticket_, now, std::chrono::milliseconds(0));
  stones_.sweep(open_reads_.empty() ? next_ticket_ : *open_reads_.begin(), now, options_.tombstone_age);
}

plan::size plan::count() const {
  size n;
  n.entries = entries_.size();
  n.buckets = buckets_.size();
  n.tombstones = stones_.size();
  for (const auto& [key, b] : buckets_) {
    n.waiting += b->waiting;
    n.held += b->held;
  }
  for (const auto& [id, s] : sessions_) n.running += s.tasks.size();
  n.settling = n.entries - std::min(n.entries, n.waiting + n.held + n.running);
  return n;
}

} // namespace taskmaster
