// Lines: the tasks of one concurrency_key in one bucket. Where they stand, what counts as a filled window, and the windows of their own
// that long lines get.
#include "actors/plan.hpp"

#include <algorithm>

namespace taskmaster {

plan::line& plan::line_of(bucket& b, const std::string& key) {
  auto& slot = b.lines[key];
  if (!slot) {
    auto& q = *b.queue;
    auto& k = q.keys[key];
    if (!k) k = std::make_unique<key_state>(key_state{&q, key, 0, q.fresh_key, {}, {}, {}});
    slot = std::make_unique<line>();
    slot->home = &b;
    slot->key = k.get();
    k->lines.push_back(slot.get());
  }
  return *slot;
}

void plan::leave_line(line& l) {
  auto& b = *l.home;
  if (--l.users > 0 || &l == b.plain || l.filling || !l.complete()) return;
  unfile(l);
  auto& k = *l.key;
  std::erase(k.lines, &l);
  b.own_keys.erase(k.key);
  b.lines.erase(k.key);
  tidy(k);
}

void plan::count_waiting(line& l, std::ptrdiff_t more) {
  auto& b = *l.home;
  const auto n = static_cast<std::size_t>(more);
  const bool is_shut = l.place == line_place::shut;
  b.waiting += n;
  if (is_shut) b.shut += n;
  if (l.own) return;
  b.loose += n;
  if (is_shut) b.loose_shut += n;
}

void plan::unfile(line& l) {
  auto& b = *l.home;
  if (l.place == line_place::later) b.later.erase(&l);
  if (l.place == line_place::ready) {
    b.ready.erase(&l);
    b.oldest.erase(&l);
  }
  if (l.place != line_place::shut) l.place = line_place::none;
}

void plan::file(line& l) {
  auto& b = *l.home;
  const bool due = !l.waiting.empty() && l.waiting.begin()->run_at <= due_until_;
  // The only one of its set can change in place.
  const bool in_place = due ? l.place == line_place::ready && b.ready.size() == 1
                            : !l.waiting.empty() && l.place == line_place::later && b.later.size() == 1;
  if (!in_place) unfile(l);
  if (l.waiting.empty()) return;
  l.head = *l.waiting.begin();
  if (due) l.rank = std::max(b.queue->now, l.key->finish);
  if (in_place) return;
  if (due) {
    b.ready.insert(&l);
    b.oldest.insert(&l);
    l.place = line_place::ready;
  } else {
    b.later.insert(&l);
    l.place = line_place::later;
  }
}

void plan::place(entry& e) {
  auto& l = *e.home;
  auto& b = *l.home;
  const position at{e.row.run_at, e.row.id};
  const bool waits = e.state == entry_state::waiting;
  if (waits && at > (l.own ? *l.own : b.mark)) {
    // Beyond the mark: a later refill brings it. One in flight may have been asked before this row was there.
    auto& dropped = l.own ? l.dropped : b.dropped;
    if ((l.own ? l.filling : b.filling) && (!dropped || at < *dropped)) dropped = at;
    const auto id = e.row.id;
    if (telling_) tell_left(e);
    bury(id, version_of(e.row));
    forget(entries_.find(id));
    return;
  }
  const auto bytes = e.row.payload ? e.row.payload->size() : 0;
  e.placed = true;
  l.bytes += bytes;
  if (!l.own) b.bytes += bytes;
  if (!waits) {
    l.held.insert(at);
    ++b.held;
    return;
  }
  l.waiting.insert(at);
  count_waiting(l, 1);
  if (telling_) tell_waiting(e);
  if (e.row.expires_at) expiries_.emplace(*e.row.expires_at, e.row.id);
  if (l.place == line_place::none || (l.place != line_place::shut && at < l.head)) file(l);
  if (&l != b.plain && (l.waiting.size() > 2 * options_.line_rows || l.bytes > options_.window_bytes)) split(l);
  else if (b.loose - b.loose_shut > options_.window_rows * options_.window_most || b.bytes > options_.window_bytes * options_.window_most)
    trim(b);
}

void plan::unplace(entry& e) {
  if (!e.placed) return;
  auto& l = *e.home;
  auto& b = *l.home;
  const position at{e.row.run_at, e.row.id};
  const auto bytes = e.row.payload ? e.row.payload->size() : 0;
  e.placed = false;
  l.bytes -= bytes;
  if (!l.own) b.bytes -= bytes;
  if (e.row.expires_at) expiries_.erase({*e.row.expires_at, e.row.id});
  if (!l.held.empty() && l.held.erase(at)) {
    --b.held;
  } else {
    if (at == *l.waiting.begin()) l.waiting.erase(l.waiting.begin());
    else l.waiting.erase(at);
    count_waiting(l, -1);
    if (telling_) coming_.erase(at);
    if (l.place != line_place::shut && at == l.head) file(l);
  }
  if (l.own) thirst(l);
}

void plan::evict(line& l, const position& at) {
  auto& dropped = l.own ? l.dropped : l.home->dropped;
  if ((l.own ? l.filling : l.home->filling) && (!dropped || at < *dropped)) dropped = at;
  const auto it = entries_.find(at.id);
  if (telling_) tell_left(*it->second);
  bury(at.id, version_of(it->second->row));
  unplace(*it->second);
  forget(it);
}

void plan::split(line& l) {
  if (!l.own) {
    auto& b = *l.home;
    count_waiting(l, -static_cast<std::ptrdiff_t>(l.waiting.size()));
    b.bytes -= l.bytes;
    l.own = b.mark;
    count_waiting(l, static_cast<std::ptrdiff_t>(l.waiting.size()));
    b.own_keys.insert(l.key->key);
  }
  const auto too_much = [&] {
    return l.waiting.size() > options_.line_rows || (l.bytes > options_.window_bytes / 2 && l.waiting.size() > 1);
  };
  if (!too_much()) return;
  while (too_much()) evict(l, *std::prev(l.waiting.end()));
  l.own = *std::prev(l.waiting.end());
}

void plan::trim(bucket& b) {
  // Half goes, from the tail, so that a burst does not trim on every announce.
  std::vector<std::pair<position, line*>> all;
  all.reserve(b.loose);
  for (auto& [key, l] : b.lines)
    if (!l->own)
      for (const auto& at : l->waiting) all.emplace_back(at, l.get());
  const auto keep = std::max<std::size_t>(1, std::min(all.size() / 2, b.loose_shut + options_.window_rows * options_.window_most / 2));
  if (keep >= all.size()) return;
  std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(keep - 1), all.end());
  b.mark = all[keep - 1].first;
  for (std::size_t i = keep; i < all.size(); ++i) evict(*all[i].second, all[i].first);
}

void plan::thirst(line& l) {
  if (l.complete() || l.filling || l.thirsty || l.waiting.size() + l.held.size() >= options_.line_low) return;
  l.thirsty = true;
  thirsty_.emplace_back(l.home->key, l.key->key);
}

plan::key_refill plan::take_key_refill() {
  key_refill out;
  while (!thirsty_.empty() && out.windows.size() < options_.lines_a_refill) {
    const auto [where, key] = std::move(thirsty_.front());
    thirsty_.pop_front();
    const auto& b = *buckets_.at(where);
    const auto found = b.lines.find(key);
    if (found == b.lines.end() || !found->second->thirsty) continue;
    auto& l = *found->second;
    l.thirsty = false;
    l.filling = true;
    l.dropped.reset();
    out.windows.push_back({where, key, *l.own});
  }
  if (!out.windows.empty()) out.ticket = open_read();
  return out;
}

void plan::key_refilled(const key_refill& what, std::vector<window_page> pages, timestamp now) {
  close_read(what.ticket);
  for (std::size_t i = 0; i < what.windows.size() && i < pages.size(); ++i) {
    const auto& w = what.windows[i];
    const auto b = buckets_.find(w.bucket);
    if (b == buckets_.end()) continue;
    const auto found = b->second->lines.find(w.key);
    if (found == b->second->lines.end() || !found->second->filling) continue;
    auto& l = *found->second;
    const auto mark = refill_mark(pages[i], l.dropped, *l.own);
    l.own = mark;
    l.filling = false;
    ++l.users; // it stays while its rows are put in
    for (auto& row : pages[i].tasks) {
      if (position{row.run_at, row.id} > mark) break;
      if (!news(row)) continue;
      const auto told = tell_refilled(row, now);
      add(std::move(row), now, told);
    }
    thirst(l);
    leave_line(l);
  }
}

void plan::key_refill_failed(const key_refill& what) {
  close_read(what.ticket);
  for (const auto& w : what.windows) {
    const auto b = buckets_.find(w.bucket);
    if (b == buckets_.end()) continue;
    const auto found = b->second->lines.find(w.key);
    if (found == b->second->lines.end()) continue;
    found->second->filling = false;
    thirst(*found->second);
  }
}

} // namespace taskmaster
