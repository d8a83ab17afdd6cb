// The memory store as a database that can fail: each call of a lane is told beforehand how it will go. Also where the books hear what
// was committed, at the moment it is.
#pragma once
#include "schema/memory_database.hpp"
#include "schema/memory_store.hpp"
#include "tests/simulate/books.hpp"

namespace taskmaster::simulate {

/// How one lane call goes.
enum class store_fate : std::uint8_t {
  good,
  refused,     // the connection is gone before anything was sent
  answer_lost, // done, and the answer got lost; of an insert perhaps a part
  unanswered,  // nothing was done, and nobody can tell
};

class faulty_store final : public task_store {
public:
  faulty_store(world& w, books& b, std::shared_ptr<memory_database> db)
      : world_(w), books_(b), db_(db), real_(make_memory_store(std::move(db))) {}

  /// For the next closure; `passes` calls of it go well first.
  void next(store_fate fate, int passes) {
    fate_ = fate;
    passes_ = passes;
    limit_ = timeout(0);
  }
  /// The longest time that a call of the last closure was ready to wait.
  timeout limit() const { return limit_; }

  expected<std::vector<inserted>> insert(const std::vector<new_task>& tasks, timeout limit) override;
  expected<std::vector<inserted>> insert_graph(const std::vector<new_task>& rows, timeout limit) override;
  expected<std::vector<edge>> awaits(const uuid& id, std::size_t most, timeout limit) override;
  expected<follow_up_page> follow_up(std::uint64_t term, std::size_t most, timeout limit) override;
  expected<std::optional<task_record>> find(const uuid& id, timeout limit) override;
  expected<task_page> list(const task_filter& filter, timeout limit) override;
  expected<std::vector<attempt_record>> attempts(const uuid& id, timeout limit) override;
  expected<std::vector<queue_summary>> queues(timeout limit) override;
  expected<std::vector<queue_settings>> settings(timeout limit) override;
  expected<schedule_page> schedules(const std::string& cursor, std::size_t most, timeout limit) override;
  expected<std::optional<schedule_record>> find_schedule(const std::string& name, timeout limit) override;
  expected<ledger_page> schedule_ledger(const std::string& name, const std::string& cursor, std::size_t most, timeout limit) override;
  expected<leader_info> leader(timeout limit) override;
  expected<timestamp> clock(timeout limit) override;
  expected<std::optional<leader_lease>> acquire(const std::string& holder, const std::string& address, duration ttl, timeout limit) override;
  expected<std::optional<timestamp>> renew(std::uint64_t term, duration ttl, timeout limit) override;
  expected<done> resign(std::uint64_t term, timeout limit) override;
  expected<done> enlist(std::uint64_t term, timeout limit) override;
  expected<std::vector<bucket_key>> buckets(timeout limit) override;
  expected<window_page> load_window(const bucket_key& bucket, const window_mark& after, std::size_t rows, std::size_t bytes, timeout limit) override;
  expected<window_page> load_window_past(const bucket_key& bucket, const window_mark& after, std::size_t rows, std::size_t bytes,
                                         const std::set<std::string>& keys, std::size_t walk, timeout limit) override;
  expected<std::vector<window_page>> load_key_windows(const std::vector<key_window>& windows, std::size_t rows, std::size_t bytes,
                                                      timeout limit) override;
  expected<scan_cursor> scan_start(timeout limit) override;
  expected<scan_page> scan(const scan_cursor& from, std::size_t rows, timeout limit, const std::vector<std::uint64_t>& known) override;
  expected<std::vector<task>> load(const std::vector<uuid>& ids, timeout limit) override;
  expected<std::map<std::string, std::vector<uuid>>> unfinished_of(const std::vector<std::string>& schedules, timeout limit) override;
  expected<std::vector<session_row>> sessions(timeout limit) override;
  expected<recorded> record(std::uint64_t term, const std::vector<task_change>& changes, timeout limit) override;
  expected<task> reopen(std::uint64_t term, const uuid& id, timeout limit, duration wait) override;
  expected<std::optional<task>> edit(std::uint64_t term, const task_edition& what, timeout limit) override;
  expected<done> keep_checkpoints(std::uint64_t term, const std::vector<kept_checkpoint>& all, timeout limit) override;
  expected<done> set_queue(std::uint64_t term, const queue_settings& settings, timeout limit) override;
  expected<schedule_record> put_schedule(std::uint64_t term, const schedule_record& record, timeout limit) override;
  expected<done> delete_schedule(std::uint64_t term, const std::string& name, timeout limit) override;
  expected<std::vector<fired_schedule>> fire_schedules(std::uint64_t term, const std::vector<schedule_firing>& firings, timeout limit) override;
  expected<int> renew_transactions(std::uint64_t term, int most, timeout limit) override;
  expected<done> open_session(std::uint64_t term, const session_row& row, timeout limit) override;
  expected<done> close_session(std::uint64_t term, const std::string& worker, const std::string& incarnation, timeout limit) override;
  expected<upkeep> maintain(duration retention, timeout limit) override;

private:
  /// Does `call` by the fate of this closure. A read whose answer got lost is a read that came too late.
  template <class Call>
  auto read(timeout limit, Call call) -> decltype(call()) {
    return by_fate(limit, {ec::deadline_exceeded, "no answer in time (simulated)"}, call);
  }
  template <class Call>
  auto write(timeout limit, Call call) -> decltype(call()) {
    return by_fate(limit, {ec::ambiguous, "no answer, it may or may not have happened (simulated)"}, call);
  }
  template <class Call>
  auto by_fate(timeout limit, error lost, Call& call) -> decltype(call()) {
    limit_ = std::max(limit_, limit);
    if (passes_-- > 0) return call();
    switch (fate_) {
    case store_fate::good: return call();
    case store_fate::refused: return error{ec::unavailable, "the connection broke (simulated)"};
    case store_fate::answer_lost: static_cast<void>(call()); return lost;
    case store_fate::unanswered: return lost;
    }
    return lost;
  }

  world& world_;
  books& books_;
  std::shared_ptr<memory_database> db_;
  std::unique_ptr<task_store> real_;
  store_fate fate_ = store_fate::good;
  int passes_ = 0;
  timeout limit_{0};
};

} // namespace taskmaster::simulate
