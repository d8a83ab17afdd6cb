#include "actors/tombstones.hpp"

namespace taskmaster {

void tombstones::add(const uuid& id, task_version lowest_news, std::uint64_t ticket, steady_time now) {
  by_id_[id] = {lowest_news, ++serial_, false};
  order_.push_back({id, serial_, ticket, now});
}

void tombstones::add_finished(const uuid& id, std::int32_t attempt, std::uint64_t ticket, steady_time now) {
  add(id, {attempt + 1, 0}, ticket, now);
  by_id_[id].finished = true;
}

std::optional<task_version> tombstones::lowest_news(const uuid& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? std::nullopt : std::optional(it->second.lowest_news);
}

bool tombstones::covers(const uuid& id, task_version version) const {
  const auto it = by_id_.find(id);
  return it != by_id_.end() && version < it->second.lowest_news;
}

bool tombstones::finished(const uuid& id) const {
  const auto it = by_id_.find(id);
  return it != by_id_.end() && it->second.finished;
}

void tombstones::sweep(std::uint64_t oldest_open, steady_time now, std::chrono::milliseconds age) {
  while (!order_.empty() && order_.front().ticket <= oldest_open && now - order_.front().since > age) {
    const auto it = by_id_.find(order_.front().id);
    // A later change of the same task has a stone and an entry of its own.
    if (it != by_id_.end() && it->second.serial == order_.front().serial) by_id_.erase(it);
    order_.pop_front();
  }
}

void tombstones::clear() {
  by_id_.clear();
  order_.clear();
}

} // namespace taskmaster
