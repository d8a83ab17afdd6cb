// What the leader changed or let go a moment ago, so that an old scan, refill or announce cannot bring it back (R8, R9). A tombstone
// names the lowest version of the row that is still news. Pure; part of the plan.
#pragma once
#include "schema/task.hpp"

#include <deque>
#include <unordered_map>

namespace taskmaster {

class tombstones {
public:
  /// No version of a finished task is news.
  static constexpr task_version never{std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::max()};

  /// `ticket`: the number of the next read to be issued; reads below it may still carry the old row.
  void add(const uuid& id, task_version lowest_news, std::uint64_t ticket, steady_time now);
  /// True when this version of the row is older than what the leader knows.
  bool covers(const uuid& id, task_version version) const;
  bool finished(const uuid& id) const;
  void forget(const uuid& id) { by_id_.erase(id); }
  /// Drops those that no read issued before them can meet any more (`oldest_open`: the lowest ticket still open) and that are older
  /// than `age`, the time after which an announce is refused anyway.
  void sweep(std::uint64_t oldest_open, steady_time now, std::chrono::milliseconds age);
  void clear();
  std::size_t size() const { return by_id_.size(); }

private:
  struct stone {
    task_version lowest_news;
    std::uint64_t serial = 0;
  };
  struct due {
    uuid id;
    std::uint64_t serial = 0, ticket = 0;
    steady_time since;
  };
  std::unordered_map<uuid, stone> by_id_;
  std::deque<due> order_;
  std::uint64_t serial_ = 0;
};

} // namespace taskmaster
