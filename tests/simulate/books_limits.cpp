// Whether a hand-out keeps to its queue's settings.
#include "tests/simulate/books.hpp"

#include <algorithm>

namespace taskmaster::simulate {
namespace {

constexpr auto on_its_way = milliseconds(300);
constexpr auto mark_takes = milliseconds(5'000); // the deadline of a write

} // namespace

void books::settings(const queue_settings& s) {
  world_.tell("the queue " + s.name + " is set: " + (s.concurrency ? std::to_string(*s.concurrency) : "any") + " at a time, " + std::to_string(s.key_concurrency) + " of a key" +
              (s.paused || !s.paused_kinds.empty() || !s.paused_keys.empty() ? ", something paused" : ""));
  auto& q = queues_[s.name];
  if (q.log.empty() || q.log.back().settings.rate != s.rate) q.counted.reset();
  q.log.push_back({s, {}});
}

void books::told_settings(const queue_settings& s) {
  auto& log = queues_[s.name].log;
  const auto it = std::find_if(log.rbegin(), log.rend(), [&](const queue_book::change& c) { return c.settings == s; });
  if (it != log.rend() && !it->told) it->told = world_.now();
}

void books::check_limits(const uuid& id, const entry& e) {
  if (world_.clock_stepped_lately()) return;
  // It was chosen when its mark, or the freeing of its key, was asked for, and counts as running from then on.
  const bool marked = e.row.delivery == delivery_mode::at_most_once || options_of(e.row.options).scope == unique_scope::while_waiting;
  const auto slack = world_.froze_within(thaw_slack) ? duration(thaw_slack) : duration(marked ? mark_takes : on_its_way);
  // The most generous of the settings since the last of which a client was told: what is committed while its answer is lost may not be in force
  // yet, whatever the time.
  bool open = false;
  std::optional<std::int64_t> most = 0;
  std::int64_t key_most = 0;
  const auto& log = queues_[e.row.queue].log;
  auto consider = [&](const queue_settings& q) {
    open = open || (!q.paused && !q.paused_kinds.contains(e.row.kind) && !q.paused_keys.contains(e.row.concurrency_key));
    if (!q.concurrency) most.reset();
    else if (most) most = std::max(*most, *q.concurrency);
    key_most = std::max(key_most, q.key_concurrency);
  };
  bool earlier = false;
  for (auto it = log.rbegin(); it != log.rend() && !earlier; ++it) {
    consider(it->settings);
    earlier = it->told && *it->told + slack <= world_.now();
  }
  if (!earlier) consider(queue_settings{});
  if (!open) fault(broken::over_limit, id, "it was handed out from a paused queue, or as a paused kind or key");
  std::int64_t in_queue = 0, in_key = 0;
  std::string others; // of the key
  for (const auto& other : held_) {
    const auto& o = tasks_.at(other);
    if (o.row.queue != e.row.queue || o.held->done || o.held->term != e.held->term) continue;
    ++in_queue;
    if (o.row.concurrency_key != e.row.concurrency_key) continue;
    ++in_key;
    if (other != id) others += " " + other.str().substr(24) + " at " + o.held->by.worker;
  }
  if (most && in_queue > *most)
    fault(broken::over_limit, id, "with it " + std::to_string(in_queue) + " tasks of the queue " + e.row.queue + " are handed out, its limit is " + std::to_string(*most));
  if (!e.row.concurrency_key.empty() && in_key > key_most)
    fault(broken::over_limit, id, "with it " + std::to_string(in_key) + " tasks of the key " + e.row.concurrency_key + " are handed out, the limit is " + std::to_string(key_most) + ":" + others);
}

/// The queue's rate as a bucket of the checker's own. It counts by the true time, the leader by a bound on the database's clock that may catch up
/// with it at once: for that it holds as much again. Marked tasks take their token when they are marked, so they are left out.
void books::check_rate(const uuid& id, const entry& e) {
  auto& q = queues_[e.row.queue];
  bool in_force = false; // since a while, and not changed by anybody who has had no answer yet
  for (auto it = q.log.rbegin(); it != q.log.rend() && !in_force; ++it) {
    if (it->settings.rate != q.log.back().settings.rate) break;
    in_force = it->settings.rate && it->told && *it->told + on_its_way <= world_.now();
  }
  if (!in_force || world_.clock_stepped_lately() || world_.froze_within(thaw_slack)) {
    q.counted.reset();
    return;
  }
  const auto& rate = *q.log.back().settings.rate;
  const auto most = static_cast<double>(2 * rate.burst + 1);
  const auto now = world_.now();
  if (!q.counted) q.level = most;
  else q.level = std::min(most, q.level + static_cast<double>((now - *q.counted).count()) * static_cast<double>(rate.limit) /
                                             static_cast<double>(std::chrono::nanoseconds(rate.period).count()));
  q.counted = now;
  if (e.row.delivery == delivery_mode::at_most_once || !e.row.unique_key.empty()) return;
  if (--q.level < -0.001)
    fault(broken::over_limit, id, "the queue " + e.row.queue + " hands out more than " + std::to_string(rate.limit) + " in " + format_duration(rate.period));
}

} // namespace taskmaster::simulate
