// The way from a process to the database: lanes whose calls take time and can go wrong, and transactions that are still open when
// somebody else comes. PostgreSQL in three sentences: a write of a leader holds the leader row by its term until it ends; taking over
// waits for those writes, or ends them; a backend outlives the client that asked it.
#pragma once
#include "actors/store_lane.hpp"
#include "tests/simulate/faulty_store.hpp"

#include <deque>

namespace taskmaster::simulate {

/// How often calls go wrong, in thousandths, and how long they take. Changed as the run goes on.
struct database_weather {
  duration typical = microseconds(400);
  std::int64_t refused = 0, answer_lost = 0, unanswered = 0, hangs = 0, open_long = 0;
  bool down = false;
};

using simulated_lane_actor = store_lane_actor::extend<
    // The database's answer is here.
    caf::reacts_to<store_reply>>;

class database {
public:
  database(world& w, books& b) : memory(make_memory_database([&w] { return w.database_time(); })), world_(w), books_(b) {}

  enum class lane_kind : std::uint8_t { reads, inserts, leader_writes, lease };
  store_lane_actor lane(const std::shared_ptr<part>& home, lane_kind kind);

  const std::shared_ptr<memory_database> memory;
  database_weather weather;
  /// Once, in the middle of the next write of a leader, which then stays open for seconds: its process.
  std::function<void(const std::shared_ptr<part>&)> in_next_write;
  std::size_t faults = 0;

private:
  friend class lane_line;
  using end_of_write = std::function<void(bool commit)>;
  /// A write that has looked at the term and does not commit before `open` is over.
  std::uint64_t begin_write(duration open, end_of_write end);
  /// It ends now; no effect when it has ended.
  void end_write(std::uint64_t number, bool commit);
  /// Somebody takes the leader row: every open write ends first, one way or the other.
  void end_open_writes();

  world& world_;
  books& books_;
  std::map<std::uint64_t, end_of_write> open_;
  std::uint64_t number_ = 0;
};

} // namespace taskmaster::simulate
