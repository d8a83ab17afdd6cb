// What the leader changed or let go a moment ago, so that an old scan, refill or announce cannot bring it back (R8, R9). A tombstone
// names the lowest version of the row that is still news. Pure; part of the plan.
#pragma once
#include "schema/task.hpp"

#include <deque>
#include <optional>
#include <unordered_map>

namespace taskmaster {

class tombstones {
public:
  /// `ticket`: the number of the next read to be issued; reads below it may still carry the old row.
  void add(const uuid& id, task_version lowest_news, std::uint64_t ticket, steady_time now);
  /// It ended with this attempt. Put back to work by hand it goes on with the next one, and that is news even when the answer to
  /// whoever did it was lost.
  void add_finished(const uuid& id, std::int32_t attempt, std::uint64_t ticket, steady_time now);
  /// What add() was last told of it; nothing without a tombstone.
  std::optional<task_version> lowest_news(const uuid& id) const;
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
    bool finished = false;
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
