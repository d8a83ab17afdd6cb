// Housekeeping: days of history made ahead and dropped behind, expired keys, queues that came through SQL.
#include "schema/postgres_parts.hpp"

#include <algorithm>

namespace taskmaster::postgres {

namespace {

constexpr std::int32_t days_ahead = 7;
constexpr std::int64_t portion = 10'000; // rows that one statement deletes

/// Deletes portion by portion until one is not full, or until `enough`: the rest is the next round's. The
/// answer counts.
expected<std::int64_t> delete_all(connection& db, std::string_view name, const parameters& values,
                                  steady_time enough, steady_time deadline) {
  std::int64_t sum = 0;
  for (;;) {
    auto deleted = db.run(name, values, deadline, effect::write);
    if (!deleted) return deleted.failure();
    sum += deleted->affected();
    if (deleted->affected() < portion || std::chrono::steady_clock::now() >= enough) return sum;
  }
}

/// Takes one old day off the history. False: something reads it, the next round tries again. Alone in a
/// transaction of its own each, since DETACH CONCURRENTLY has to be, and with a short lock_timeout: whoever
/// waits for a lock here makes outcomes wait behind it.
bool drop_day(connection& db, const std::string& name, bool attached, bool detaching, steady_time deadline) {
  const auto table = "taskmaster." + name;
  if (attached || detaching) {
    auto text = "ALTER TABLE taskmaster.task_history DETACH PARTITION " + table +
                (detaching ? " FINALIZE" : " CONCURRENTLY");
    if (!db.run_text(text, {}, deadline, effect::write)) return false;
  }
  return static_cast<bool>(db.run_text("DROP TABLE " + table, {}, deadline, effect::write));
}

} // namespace

expected<task_store::upkeep> maintain_history(connection& db, duration retention, steady_time deadline) {
  task_store::upkeep answer;
  auto made = db.run("make_partitions", parameters().add(days_ahead), deadline, effect::write);
  if (!made) return made.failure();
  answer.made = made->int4(0, 0);

  auto old = db.run("old_days", parameters().add(retention), deadline, effect::read);
  if (!old) return old.failure();
  if (old->count() > 0) {
    if (auto set = db.run_text("SET lock_timeout = '100ms'", {}, deadline, effect::write); !set)
      return set.failure();
    for (int row = 0; row < old->count(); ++row)
      answer.dropped +=
          drop_day(db, old->text(row, 0), old->boolean(row, 1), old->boolean(row, 2), deadline) ? 1 : 0;
    if (auto reset = db.run_text("RESET lock_timeout", {}, deadline, effect::write); !reset)
      return reset.failure();
  }

  // A sixth of the time for each of the five: a backlog is worked off over several rounds, and the lane is
  // free in between.
  auto sixth = (deadline - std::chrono::steady_clock::now()) / 6;
  auto keys =
      delete_all(db, "delete_expired_keys", parameters().add(portion), deadline - 5 * sixth, deadline);
  if (!keys) return keys.failure();
  answer.keys_expired = *keys;
  if (auto runs = delete_all(db, "delete_old_attempts", parameters().add(retention).add(portion),
                             deadline - 4 * sixth, deadline);
      !runs)
    return runs.failure();
  int left = 3;
  for (const auto* name : {"delete_old_firings", "delete_old_ledger", "delete_old_checkpoints"})
    if (auto rows = delete_all(db, name, parameters().add(retention).add(portion), deadline - left-- * sixth, deadline); !rows)
      return rows.failure();
  if (auto queues = db.run("note_queues", {}, deadline, effect::write); !queues) return queues.failure();
  auto days = db.run("days_ahead", {}, deadline, effect::read);
  if (!days) return days.failure();
  answer.days_ahead = static_cast<int>(days->int8(0, 0));
  return answer;
}

} // namespace taskmaster::postgres
