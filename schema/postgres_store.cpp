#include "schema/postgres_store.hpp"

#include "schema/postgres_parts.hpp"
#include "schema/postgres_queries.hpp"

#include <algorithm>

namespace taskmaster {

namespace postgres {

timestamp finished_after(const uuid& id) { return id.time() - std::chrono::hours(24); }

} // namespace postgres

namespace {

using namespace postgres;

constexpr std::int64_t count_cap = 10'000;

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

class postgres_store final : public task_store {
public:
  explicit postgres_store(postgres_options options)
      : db_(std::move(options.url), std::move(options.application_name)) {}

  expected<std::vector<inserted>> insert(const std::vector<new_task>& tasks, timeout limit) override {
    auto until = deadline(limit);
    if (tasks.empty()) return std::vector<inserted>{};
    if (auto ready = connected(until); !ready) return ready.failure();
    return insert_tasks(db_, known_queues_, tasks, until);
  }

  expected<std::vector<inserted>> insert_graph(const std::vector<new_task>& rows, timeout limit) override {
    auto until = deadline(limit);
    if (rows.empty()) return std::vector<inserted>{};
    if (auto ready = connected(until); !ready) return ready.failure();
    return postgres::insert_graph(db_, known_queues_, rows, until);
  }

  expected<std::optional<task_record>> find(const uuid& id, timeout limit) override {
    auto found = read("find", parameters().add(id).add(finished_after(id)), limit);
    if (!found) return found.failure();
    if (found->count() == 0) return std::optional<task_record>{};
    return std::optional{read_record(*found, 0, 0)};
  }

  expected<task_page> list(const task_filter& filter, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return list_tasks(db_, filter, until);
  }

  expected<std::vector<attempt_record>> attempts(const uuid& id, timeout limit) override {
    auto found = read("attempts", parameters().add(id).add(finished_after(id)), limit);
    if (!found) return found.failure();
    std::vector<attempt_record> runs;
    for (int row = 0; row < found->count(); ++row) {
      attempt_record a;
      a.attempt = found->int4(row, 0);
      a.losses = found->int4(row, 1);
      a.fence = {static_cast<std::uint64_t>(found->int8(row, 2)),
                 static_cast<std::uint64_t>(found->int8(row, 3))};
      a.worker = found->text(row, 4);
      a.picked_at = found->maybe_timestamp(row, 5);
      a.started_at = found->maybe_timestamp(row, 6);
      a.finished_at = found->maybe_timestamp(row, 7);
      a.outcome = found->text(row, 8);
      a.reason = found->text(row, 9);
      if (!found->null(row, 10)) a.error = task_error{found->text(row, 10), found->text(row, 11)};
      runs.push_back(std::move(a));
    }
    return runs;
  }

  expected<std::vector<edge>> awaits(const uuid& id, std::size_t most, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return read_awaits(db_, id, most, until);
  }

  expected<std::vector<queue_summary>> queues(timeout limit) override {
    auto found = read("queues", parameters().add(count_cap), limit);
    if (!found) return found.failure();
    std::vector<queue_summary> queues;
    for (int row = 0; row < found->count(); ++row) {
      auto scheduled = found->int8(row, 1), ready = found->int8(row, 2);
      queues.push_back({found->text(row, 0), std::min(scheduled, count_cap), std::min(ready, count_cap),
                        std::max(scheduled, ready) > count_cap});
    }
    return queues;
  }

  expected<std::vector<queue_settings>> settings(timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return read_settings(db_, until);
  }

  expected<schedule_page> schedules(const std::string& cursor, std::size_t most, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return read_schedules(db_, cursor, most, std::nullopt, until);
  }

  expected<std::optional<schedule_record>> find_schedule(const std::string& name, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    auto page = read_schedules(db_, "", 1, name, until);
    if (!page) return page.failure();
    return page->schedules.empty() ? std::optional<schedule_record>{} : std::optional{std::move(page->schedules.front())};
  }

  expected<ledger_page> schedule_ledger(const std::string& name, const std::string& cursor, std::size_t most,
                                        timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return read_ledger(db_, name, cursor, most, until);
  }

  expected<std::map<std::string, std::vector<uuid>>> unfinished_of(const std::vector<std::string>& names,
                                                                   timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return read_unfinished(db_, names, until);
  }

  expected<leader_info> leader(timeout limit) override {
    auto found = read("leader", {}, limit);
    if (!found) return found.failure();
    if (found->count() == 0 || found->int8(0, 0) == 0)
      return error{ec::not_found, "no coordinator has led yet; start one"};
    return leader_info{static_cast<std::uint64_t>(found->int8(0, 0)), found->text(0, 1), found->text(0, 2),
                       found->timestamp(0, 3), found->timestamp(0, 4)};
  }

  expected<timestamp> clock(timeout limit) override {
    auto found = read("clock", {}, limit);
    if (!found) return found.failure();
    return found->timestamp(0, 0);
  }

  expected<std::optional<leader_lease>> acquire(const std::string& holder, const std::string& address,
                                                duration ttl, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    for (;;) {
      auto found = db_.run("acquire", parameters().add(holder).add(address).add(ttl), until, effect::write);
      if (found) {
        if (found->count() == 0) return std::optional<leader_lease>{};
        return std::optional{leader_lease{static_cast<std::uint64_t>(found->int8(0, 0)),
                                          static_cast<std::uint64_t>(found->int8(0, 1)),
                                          found->timestamp(0, 2), found->text(0, 3)}};
      }
      // 500 ms went by behind a write of the leader whose lease has run out: it is frozen or cut off. Its
      // sessions are ended, whatever they were about, and the row is asked for again.
      if (db_.sqlstate() != "55P03" || std::chrono::steady_clock::now() >= until) return found.failure();
      if (auto ended = db_.run("end_writers", {}, until, effect::write); !ended) return ended.failure();
    }
  }

  expected<std::optional<timestamp>> renew(std::uint64_t term, duration ttl, timeout limit) override {
    auto found = write("renew", parameters().add(number(term)).add(ttl), limit);
    if (!found) return found.failure();
    if (found->count() == 0) return std::optional<timestamp>{};
    return std::optional{found->timestamp(0, 0)};
  }

  expected<done> resign(std::uint64_t term, timeout limit) override {
    return only_done(write("resign", parameters().add(number(term)), limit));
  }

  expected<done> enlist(std::uint64_t term, timeout limit) override {
    auto until = deadline(limit);
    enlisted_ = 0;
    if (auto ready = connected(until); !ready) return ready;
    auto answer = put_on_list(term, until);
    if (answer) enlisted_ = term;
    return answer;
  }

  expected<std::vector<bucket_key>> buckets(timeout limit) override {
    auto found = read("buckets", {}, limit);
    if (!found) return found.failure();
    std::vector<bucket_key> keys;
    for (int row = 0; row < found->count(); ++row)
      keys.push_back({found->text(row, 0), found->text(row, 1), found->int4(row, 2)});
    return keys;
  }

  expected<window_page> load_window(const bucket_key& bucket, const window_mark& after, std::size_t rows,
                                    std::size_t bytes, timeout limit) override {
    auto most = static_cast<std::int64_t>(rows),
         weight = static_cast<std::int64_t>(std::max<std::size_t>(bytes, 1));
    auto found = read("load_window",
                      parameters()
                          .add(bucket.queue)
                          .add(bucket.kind)
                          .add(bucket.priority)
                          .add(after.run_at)
                          .add(after.id)
                          .add(most)
                          .add(weight),
                      limit);
    if (!found) return found.failure();
    window_page page;
    for (int row = 0; row < found->count(); ++row) page.tasks.push_back(read_task(*found, row, 0));
    // `taken` is what the limit let in, before the cut by bytes.
    if (found->count() > 0) {
      auto taken = found->int8(0, task_columns);
      page.more = taken == most || found->count() < taken;
    }
    return page;
  }

  expected<window_page> load_window_past(const bucket_key& bucket, const window_mark& after, std::size_t rows,
                                         std::size_t bytes, const std::set<std::string>& keys, std::size_t walk,
                                         timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return load_past(db_, bucket, after, rows, bytes, keys, walk, until);
  }

  expected<std::vector<window_page>> load_key_windows(const std::vector<key_window>& windows, std::size_t rows,
                                                      std::size_t bytes, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return load_keys(db_, windows, rows, bytes, until);
  }

  expected<scan_cursor> scan_start(timeout limit) override {
    auto found = read("scan_start", {}, limit);
    if (!found) return found.failure();
    return scan_cursor{static_cast<std::uint64_t>(found->int8(0, 0)), 0, {}, 0};
  }

  expected<scan_page> scan(const scan_cursor& from, std::size_t rows, timeout limit,
                           const std::vector<std::uint64_t>& known) override {
    array without(type::xid8);
    for (auto transaction : known) without.add(transaction);
    auto after =
        from.after_xid ? from.after_xid : from.since; // with the nil id: at the first row of that transaction
    parameters values;
    values.add(after)
        .add(from.after_xid ? from.after_id : uuid{})
        .add(static_cast<std::int64_t>(rows))
        .add(static_cast<std::int64_t>(limits::page_bytes))
        .add(std::move(without));
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    // Planned anew where there are any: only of a constant array does PostgreSQL make a hash table.
    auto found = known.empty() ? db_.run("scan", values, until, effect::read) : db_.run_text(query("scan"), values, until, effect::read);
    if (!found) return found.failure();
    scan_page page;
    page.next = from;
    if (from.next_since == 0) page.next.next_since = static_cast<std::uint64_t>(found->int8(0, 0));
    for (int row = 0; row < found->count() && !found->null(row, 1); ++row) {
      page.tasks.push_back(read_task(*found, row, 3));
      page.next.after_xid = static_cast<std::uint64_t>(found->int8(row, 1));
      page.next.after_id = page.tasks.back().id;
    }
    page.more = page.tasks.size() == rows || (!page.tasks.empty() && found->int8(0, 2) > found->count());
    if (!page.more) page.next = scan_cursor{page.next.next_since, 0, {}, 0};
    return page;
  }

  expected<std::vector<task>> load(const std::vector<uuid>& ids, timeout limit) override {
    array wanted(type::uuid);
    for (const auto& id : ids) wanted.add(id);
    auto found = read("load", parameters().add(std::move(wanted)), limit);
    if (!found) return found.failure();
    std::vector<task> tasks;
    for (int row = 0; row < found->count(); ++row) tasks.push_back(read_task(*found, row, 0));
    return tasks;
  }

  expected<std::vector<session_row>> sessions(timeout limit) override {
    auto found = read("sessions", {}, limit);
    if (!found) return found.failure();
    std::vector<session_row> sessions;
    for (int row = 0; row < found->count(); ++row)
      sessions.push_back(
          {found->text(row, 0), found->text(row, 1), static_cast<std::uint64_t>(found->int8(row, 2))});
    return sessions;
  }

  expected<recorded> record(std::uint64_t term, const std::vector<task_change>& changes,
                            timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return record_changes(db_, term, changes, until);
  }

  expected<follow_up_page> follow_up(std::uint64_t term, std::size_t most, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return follow_up_ends(db_, term, most, until);
  }

  expected<task> reopen(std::uint64_t term, const uuid& id, timeout limit, duration wait) override {
    auto found = write("reopen_task", parameters().add(number(term)).add(id).add(finished_after(id)).add(wait), limit);
    if (!found) return found.failure();
    if (found->count() == 0) return error{ec::internal, "reopen_task_v3 gave no row"};
    return read_task(*found, 0, 0);
  }

  expected<std::optional<task>> edit(std::uint64_t term, const task_edition& what, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return edit_task(db_, term, what, until);
  }

  expected<done> keep_checkpoints(std::uint64_t term, const std::vector<kept_checkpoint>& all, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready;
    return write_checkpoints(db_, term, all, until);
  }

  expected<done> set_queue(std::uint64_t term, const queue_settings& settings, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready;
    return write_settings(db_, term, settings, until);
  }

  expected<schedule_record> put_schedule(std::uint64_t term, const schedule_record& record,
                                         timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return write_schedule(db_, term, record, until);
  }

  expected<done> delete_schedule(std::uint64_t term, const std::string& name, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready;
    return postgres::delete_schedule(db_, term, name, until);
  }

  expected<std::vector<fired_schedule>> fire_schedules(std::uint64_t term,
                                                       const std::vector<schedule_firing>& firings,
                                                       timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return postgres::fire_schedules(db_, term, firings, until);
  }

  expected<int> renew_transactions(std::uint64_t term, int most, timeout limit) override {
    const auto answer = write("renew_transactions", parameters().add(number(term)).add(static_cast<std::int32_t>(most)), limit);
    if (!answer) return answer.failure();
    return answer->int4(0, 0);
  }

  expected<done> open_session(std::uint64_t term, const session_row& row, timeout limit) override {
    return only_done(
        write("open_session", parameters().add(number(term)).add(row.worker).add(row.incarnation), limit));
  }

  expected<done> close_session(std::uint64_t term, const std::string& worker, const std::string& incarnation,
                               timeout limit) override {
    return only_done(
        write("close_session", parameters().add(number(term)).add(worker).add(incarnation), limit));
  }

  expected<upkeep> maintain(duration retention, timeout limit) override {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return maintain_history(db_, retention, until);
  }

private:
  static steady_time deadline(timeout limit) { return std::chrono::steady_clock::now() + limit; }

  static expected<done> only_done(const expected<rows>& answer) {
    if (!answer) return answer.failure();
    return done{};
  }

  expected<done> put_on_list(std::uint64_t term, steady_time until) {
    auto answer = db_.run("enlist", parameters().add(number(term)), until, effect::write);
    if (!answer) return answer.failure();
    if (answer->count() == 0)
      return error{ec::deposed, "term " + std::to_string(term) + " is over; another coordinator leads"};
    return done{};
  }

  /// Connects if need be. A new session of a lane that writes for a term is put on that term's list before
  /// anything else.
  expected<done> connected(steady_time until) {
    bool fresh = false;
    auto ready = db_.connect(until, &fresh);
    if (!ready || !fresh || !enlisted_) return ready;
    auto listed = put_on_list(enlisted_, until);
    if (listed) return ready;
    if (listed.failure().code == ec::deposed) {
      enlisted_ = 0; // each write of that term says so itself
      return ready;
    }
    db_.drop(); // a session that is not on the list must not write
    return listed;
  }

  expected<rows> read(std::string_view name, const parameters& values, timeout limit) {
    return call(name, values, limit, effect::read);
  }
  expected<rows> write(std::string_view name, const parameters& values, timeout limit) {
    return call(name, values, limit, effect::write);
  }
  expected<rows> call(std::string_view name, const parameters& values, timeout limit, effect what) {
    auto until = deadline(limit);
    if (auto ready = connected(until); !ready) return ready.failure();
    return db_.run(name, values, until, what);
  }

  connection db_;
  std::set<std::string> known_queues_;
  std::uint64_t enlisted_ = 0; // the term that this lane writes for
};

} // namespace

std::unique_ptr<task_store> make_postgres_store(postgres_options options) {
  return std::make_unique<postgres_store>(std::move(options));
}

} // namespace taskmaster
