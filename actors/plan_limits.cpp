// Limits: who may run now. All of it is read off what is known to run (`running` of queues and keys), which set_state() alone fills and
// empties; nothing is counted up and down anywhere else.
#include "actors/plan.hpp"

#include "schema/mutant.hpp"

#include <algorithm>

namespace taskmaster {

plan::queue_state& plan::queue_of(const std::string& name) {
  auto& slot = queues_[name];
  if (!slot) {
    const rate_meter empty(took_over_at_, false);
    slot = std::make_unique<queue_state>(queue_state{{}, empty, empty, {}, {}, 0, 0, {}});
    slot->settings.name = name;
  }
  return *slot;
}

void plan::load_settings(const std::vector<queue_settings>& all) {
  for (const auto& s : all) queue_of(s.name).settings = s;
}

queue_settings plan::settings_of(const std::string& queue) const {
  const auto it = queues_.find(queue);
  queue_settings out = it == queues_.end() ? queue_settings{} : it->second->settings;
  out.name = queue;
  return out;
}

void plan::set_queue(const queue_settings& settings, timestamp now) {
  auto& q = queue_of(settings.name);
  const auto before = std::exchange(q.settings, settings);
  const auto adjust = [&](rate_meter& meter, const std::optional<rate_limit>& was, const std::optional<rate_limit>& is) {
    if (was && is) meter.change(*was, *is, now);
    else if (is) meter = rate_meter(now, true);
  };
  adjust(q.meter, before.rate, settings.rate);
  if (before.key_rate != settings.key_rate) {
    for (auto& [name, k] : q.keys) adjust(k->meter, before.key_rate, settings.key_rate);
    q.fresh_key = rate_meter(now, true);
  }
  readmit_all(q);
}

// -- what runs ---------------------------------------------------------------------------------------------------------

void plan::set_state(entry& e, entry_state state) {
  e.state = state;
  // Held: it may be on a worker of the last leader. Settling with a fence: the worker is done with it, or is lost, and it counts until
  // that is recorded.
  const bool busy = state == entry_state::held || state == entry_state::marking || state == entry_state::assigned ||
                    (state == entry_state::settling && !e.fence.none());
  if (busy == e.busy) return;
  busy ? occupy(e) : vacate(e);
}

void plan::occupy(entry& e) {
  e.busy = true;
  auto& k = *e.home->key;
  e.key_place = static_cast<std::uint32_t>(k.running.size());
  k.running.push_back(&e);
  e.queue_place = static_cast<std::uint32_t>(k.home->running.size());
  k.home->running.push_back(&e);
}

void plan::vacate(entry& e) {
  e.busy = false;
  auto& k = *e.home->key;
  auto& q = *k.home;
  k.running.back()->key_place = e.key_place;
  std::swap(k.running[e.key_place], k.running.back());
  k.running.pop_back();
  q.running.back()->queue_place = e.queue_place;
  std::swap(q.running[e.queue_place], q.running.back());
  q.running.pop_back();
  if (!k.key.empty()) readmit(k); // the next dispatch looks whether it may
}

// -- gates -------------------------------------------------------------------------------------------------------------

bool plan::queue_open(queue_state& q, timestamp now) {
  const auto& s = q.settings;
  if (s.paused && !mutant("pause_ignored")) return false;
  // Until the last leader's workers have come back, nobody knows how many run (protocol 3.2 #19).
  if (s.concurrency && (grace_ || q.running.size() >= static_cast<std::size_t>(*s.concurrency))) return false;
  return !s.rate || q.meter.ready(*s.rate, now);
}

bool plan::key_open(key_state& k, timestamp now) {
  if (k.key.empty()) return true;
  const auto& s = k.home->settings;
  const auto most = static_cast<std::size_t>(s.key_concurrency) + (mutant("limit_miscounted") ? 1 : 0);
  if (grace_ || s.paused_keys.contains(k.key) || k.running.size() >= most) return false;
  return !s.key_rate || k.meter.ready(*s.key_rate, now);
}

bool plan::has_room(const entry& e) const {
  const auto& k = *e.home->key;
  const auto& q = *k.home;
  if (q.settings.concurrency && q.running.size() >= static_cast<std::size_t>(*q.settings.concurrency)) return false;
  return k.key.empty() || k.running.size() < static_cast<std::size_t>(q.settings.key_concurrency);
}

void plan::shut(key_state& k, timestamp now) {
  for (auto* l : k.lines) {
    if (l->place != line_place::ready && l->place != line_place::later) continue;
    const auto n = static_cast<std::ptrdiff_t>(l->waiting.size());
    unfile(*l);
    count_waiting(*l, -n);
    l->place = line_place::shut;
    count_waiting(*l, n);
  }
  const auto& rate = k.home->settings.key_rate;
  if (rate && !k.meter.ready(*rate, now)) alarm(k, k.meter.next(*rate, now));
}

void plan::readmit(key_state& k) {
  for (auto* l : k.lines) {
    if (l->place != line_place::shut) continue;
    const auto n = static_cast<std::ptrdiff_t>(l->waiting.size());
    count_waiting(*l, -n);
    l->place = line_place::none;
    count_waiting(*l, n);
    file(*l);
  }
}

void plan::readmit_all(queue_state& q) {
  for (auto& [name, k] : q.keys) readmit(*k);
}

void plan::alarm(key_state& k, timestamp when) {
  if (k.alarm && *k.alarm <= when) return;
  if (k.alarm) alarms_.erase({*k.alarm, k.home->settings.name, k.key});
  k.alarm = when;
  alarms_.emplace(when, k.home->settings.name, k.key);
}

void plan::hear_alarms(timestamp now) {
  while (!alarms_.empty() && std::get<0>(*alarms_.begin()) <= now) {
    const auto [when, queue, key] = *alarms_.begin();
    alarms_.erase(alarms_.begin());
    auto& k = *queues_.at(queue)->keys.at(key);
    k.alarm.reset();
    readmit(k);
    tidy(k);
  }
}

void plan::tidy(key_state& k) {
  if (k.key.empty() || !k.lines.empty() || !k.running.empty()) return;
  auto& q = *k.home;
  // A key that comes back would start with the tokens it can have had by then; with fewer than that it has to be remembered.
  if (q.settings.key_rate && !k.meter.full(*q.settings.key_rate, due_until_))
    return alarm(k, k.meter.full_at(*q.settings.key_rate, due_until_));
  if (k.alarm) alarms_.erase({*k.alarm, q.settings.name, k.key});
  q.keys.erase(std::string(k.key));
}

std::size_t plan::running_in(const std::string& queue) const {
  const auto q = queues_.find(queue);
  return q == queues_.end() ? 0 : q->second->running.size();
}

std::size_t plan::running_in(const std::string& queue, const std::string& key) const {
  const auto q = queues_.find(queue);
  if (q == queues_.end()) return 0;
  const auto k = q->second->keys.find(key);
  return k == q->second->keys.end() ? 0 : k->second->running.size();
}

std::string plan::audit() const {
  std::unordered_map<const key_state*, std::size_t> busy;
  std::unordered_map<const queue_state*, std::size_t> busy_queues;
  std::unordered_map<const line*, std::size_t> users;
  for (const auto& [id, e] : entries_) {
    ++users[e->home];
    const bool counts = e->state != entry_state::waiting && (e->state != entry_state::settling || !e->fence.none());
    if (counts != e->busy) return id.str() + " is counted wrongly";
    if (e->state == entry_state::assigned && !sessions_.contains(e->session)) return id.str() + " is handed out to nobody";
    if (!counts) continue;
    ++busy[e->home->key];
    ++busy_queues[e->home->key->home];
  }
  for (const auto& [name, q] : queues_) {
    if (q->running.size() != busy_queues[q.get()]) return "queue " + name + " counts wrongly";
    for (const auto& [key, k] : q->keys) {
      if (k->running.size() != busy[k.get()]) return "key " + key + " counts wrongly";
      if (!key.empty() && k->lines.empty() && !k->alarm) return "key " + key + " is kept for nothing";
    }
  }
  for (const auto& [where, b] : buckets_) {
    std::size_t waiting = 0, held = 0, shut = 0, loose = 0, filed = 0;
    for (const auto& [key, l] : b->lines) {
      waiting += l->waiting.size();
      held += l->held.size();
      if (l->place == line_place::shut) shut += l->waiting.size();
      if (!l->own) loose += l->waiting.size();
      if (users[l.get()] != l->users) return "line " + key + " counts its tasks wrongly";
      if (l->place == line_place::none && !l->waiting.empty()) return "line " + key + " is filed nowhere";
      if (l->place == line_place::ready || l->place == line_place::later) {
        ++filed;
        if (l->waiting.empty() || l->head != *l->waiting.begin()) return "line " + key + " is filed under another head";
      }
    }
    if (waiting != b->waiting || held != b->held || shut != b->shut || loose != b->loose) return "a bucket counts wrongly";
    if (filed != b->ready.size() + b->later.size() || b->ready.size() != b->oldest.size()) return "a bucket files wrongly";
  }
  return "";
}

} // namespace taskmaster
