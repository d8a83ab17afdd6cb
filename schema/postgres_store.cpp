#include "schema/postgres_store.hpp"

#include "schema/postgres_connection.hpp"
#include "schema/postgres_rows.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace taskmaster {
namespace {

using namespace postgres;
using steady = std::chrono::steady_clock;
using kind = connection::kind;

// Rows of one INSERT: no gain above, and the latency of those behind grows. Bytes: one statement ends within its deadline.
constexpr std::size_t insert_rows = 1'000;
constexpr std::size_t insert_bytes = 4u << 20;

std::chrono::milliseconds left(steady::time_point until) {
  return std::max(std::chrono::milliseconds(1), std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now()));
}

class postgres_store final : public task_store {
public:
  explicit postgres_store(postgres_options o) : c_(std::move(o.url), std::move(o.application_name)) {}

  // -- submitting ------------------------------------------------------------------------------------------------------

  expected<std::vector<inserted>> insert(const std::vector<new_task>& tasks, timeout limit) override {
    const auto until = steady::now() + limit;
    std::vector<inserted> out(tasks.size());
    std::vector<std::size_t> plain, keyed;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      out[i].task = make_task(tasks[i]);
      (tasks[i].spec.unique_key.empty() && tasks[i].spec.idempotency_key.empty() ? plain : keyed).push_back(i);
    }
    if (const auto r = know_queues(tasks, until); !r && r.failure().code != ec::unprocessable) return r.failure();
    for (std::size_t from = 0; from < plain.size();) {
      std::vector<std::size_t> part;
      std::size_t bytes = 0;
      while (from < plain.size() && part.size() < insert_rows && bytes < insert_bytes) {
        bytes += tasks[plain[from]].spec.payload.size();
        part.push_back(plain[from++]);
      }
      if (const auto r = insert_plain(tasks, part, out, until); !r) return r.failure();
    }
    // A key twice in one call: the first row owns it, the others come after and find it.
    while (!keyed.empty()) {
      std::unordered_set<std::string> seen;
      std::vector<std::size_t> part, later;
      for (const auto i : keyed) {
        const auto& s = tasks[i].spec;
        const bool twice = (!s.unique_key.empty() && seen.contains("u" + s.unique_key)) ||
                           (!s.idempotency_key.empty() && seen.contains("i" + s.idempotency_key));
        if (twice || part.size() >= insert_rows) {
          later.push_back(i);
          continue;
        }
        if (!s.unique_key.empty()) seen.insert("u" + s.unique_key);
        if (!s.idempotency_key.empty()) seen.insert("i" + s.idempotency_key);
        part.push_back(i);
      }
      if (const auto r = insert_keyed(tasks, part, out, until); !r) return r.failure();
      keyed = std::move(later);
    }
    return out;
  }

  // -- reading ---------------------------------------------------------------------------------------------------------

  expected<std::optional<task_record>> find(const uuid& id, timeout limit) override {
    parameters p;
    p.id(id);
    p.time(id.time() - std::chrono::hours(24)); // no task ends before it was made; a day for clocks that differ
    const auto sql = std::string("SELECT ") + task_columns + waiting_columns + " FROM taskmaster.tasks WHERE id = $1 UNION ALL SELECT " + task_columns +
                     finished_columns + " FROM taskmaster.task_history WHERE id = $1 AND finished_at >= $2 LIMIT 1";
    auto r = c_.run(sql, p, kind::read, limit);
    if (!r) return r.failure();
    if (PQntuples(r->get()) == 0) return std::optional<task_record>();
    return std::optional(record_of(row(r->get(), 0)));
  }

  expected<task_page> list(const task_filter& f, timeout limit) override {
    uuid before;
    before.bytes.fill(255);
    if (!f.cursor.empty()) {
      const auto parsed = uuid::parse(f.cursor);
      if (!parsed) return error(ec::invalid_argument, "cursor is malformed; give it as the page before said", {{"/cursor", "is malformed"}});
      before = *parsed;
    }
    const auto state = f.state ? std::string(to_string(*f.state)) : "";
    parameters p;
    p.id(before);
    p.text(f.queue);
    p.text(f.kind);
    p.text(f.state && *f.state != task_state::running ? state : "");
    p.text(labels_json(f.labels));
    p.ids(f.ids);
    p.number(static_cast<std::int64_t>(f.limit) + 1);
    const std::string where = " WHERE id < $1 AND ($2 = '' OR queue = $2) AND ($3 = '' OR kind = $3) AND ($5 = '' OR labels @> $5::jsonb) "
                              "AND (cardinality($6) = 0 OR id = ANY ($6)) ";
    const std::string waiting_state = "AND ($4 = '' OR ($4 = 'ready' AND run_at <= clock_timestamp()) OR ($4 = 'scheduled' AND run_at > clock_timestamp())) ";
    const std::string order = "ORDER BY id DESC LIMIT $7";
    std::string sql = std::string("(SELECT ") + task_columns + waiting_columns + " FROM taskmaster.tasks" + where + waiting_state + order + ")";
    if (f.state != task_state::running)
      sql += std::string(" UNION ALL (SELECT ") + task_columns + finished_columns + " FROM taskmaster.task_history" + where + "AND ($4 = '' OR state = $4) " + order + ")";
    sql += " ORDER BY 1 DESC LIMIT $7";
    auto r = c_.run(sql, p, kind::read, limit);
    if (!r) return r.failure();
    task_page out;
    for (int i = 0; i < PQntuples(r->get()); ++i) {
      if (out.tasks.size() == f.limit) {
        out.next_cursor = out.tasks.back().task.id.str();
        break;
      }
      out.tasks.push_back(record_of(row(r->get(), i)));
    }
    return out;
  }

  expected<std::vector<attempt_record>> attempts(const uuid& id, timeout limit) override {
    parameters p;
    p.id(id);
    p.time(id.time() - std::chrono::hours(24));
    auto r = c_.run("SELECT attempt, losses, fence_term, fence_sequence, coalesce(worker, ''), picked_at, started_at, finished_at, outcome, "
                    "coalesce(reason, ''), error_code, coalesce(error_message, '') FROM taskmaster.attempts WHERE task_id = $1 "
                    "UNION ALL SELECT attempt, losses, fence_term, fence_sequence, coalesce(worker, ''), picked_at, started_at, finished_at, state, "
                    "coalesce(reason, ''), error_code, coalesce(error_message, '') FROM taskmaster.task_history "
                    "WHERE id = $1 AND finished_at >= $2 AND state = 'succeeded' ORDER BY 1, 2",
                    p, kind::read, limit);
    if (!r) return r.failure();
    std::vector<attempt_record> out;
    for (int i = 0; i < PQntuples(r->get()); ++i) {
      const row at(r->get(), i);
      attempt_record a;
      a.attempt = static_cast<std::int32_t>(at.integer(0));
      a.losses = static_cast<std::int32_t>(at.integer(1));
      a.fence = {static_cast<std::uint64_t>(at.integer(2)), static_cast<std::uint64_t>(at.integer(3))};
      a.worker = at.text(4);
      a.picked_at = at.maybe_time(5);
      a.started_at = at.maybe_time(6);
      a.finished_at = at.maybe_time(7);
      a.outcome = at.text(8);
      a.reason = at.text(9);
      if (!at.null(10)) a.error = task_error{at.text(10), at.text(11)};
      out.push_back(std::move(a));
    }
    return out;
  }

  expected<std::vector<queue_summary>> queues(timeout limit) override {
    auto r = c_.run("SELECT q.name, (SELECT count(*) FROM (SELECT FROM taskmaster.tasks t WHERE t.queue = q.name AND t.run_at > clock_timestamp() LIMIT 10000) s), "
                    "(SELECT count(*) FROM (SELECT FROM taskmaster.tasks t WHERE t.queue = q.name AND t.run_at <= clock_timestamp() LIMIT 10000) s) "
                    "FROM taskmaster.queues q ORDER BY 1",
                    {}, kind::read, limit);
    if (!r) return r.failure();
    std::vector<queue_summary> out;
    for (int i = 0; i < PQntuples(r->get()); ++i) {
      const row at(r->get(), i);
      out.push_back({at.text(0), at.integer(1), at.integer(2), at.integer(1) >= 10'000 || at.integer(2) >= 10'000});
    }
    return out;
  }

  expected<leader_info> leader(timeout limit) override {
    auto r = c_.run("SELECT term, holder, address, expires_at, clock_timestamp() FROM taskmaster.leader WHERE term > 0", {}, kind::read, limit);
    if (!r) return r.failure();
    if (PQntuples(r->get()) == 0) return error(ec::not_found, "no coordinator has led yet");
    const row at(r->get(), 0);
    return leader_info{static_cast<std::uint64_t>(at.integer(0)), at.text(1), at.text(2), at.time(3), at.time(4)};
  }

  expected<timestamp> clock(timeout limit) override {
    auto r = c_.run("SELECT clock_timestamp()", {}, kind::read, limit);
    if (!r) return r.failure();
    return row(r->get(), 0).time(0);
  }

  // -- leading ---------------------------------------------------------------------------------------------------------

  expected<std::optional<leader_lease>> acquire(const std::string& holder, const std::string& address, duration ttl, timeout limit) override {
    const auto until = clock_t::now() + limit;
    while (true) {
      parameters p;
      p.text(holder);
      p.text(address);
      p.span(ttl);
      auto r = c_.run("SELECT term, previous_term, now, secret FROM taskmaster.acquire_v1($1, $2, $3)", p, kind::read, left(until));
      if (r) {
        if (PQntuples(r->get()) == 0) return std::optional<leader_lease>();
        const row at(r->get(), 0);
        return std::optional(leader_lease{static_cast<std::uint64_t>(at.integer(0)), static_cast<std::uint64_t>(at.integer(1)), at.time(2), at.text(3)});
      }
      if (c_.sqlstate() != "55P03" || clock_t::now() >= until) return r.failure();
      // A write of the old leader holds its row: frozen in mid-write. Its sessions end, which rolls it back (R1).
      if (auto ended = c_.run("SELECT taskmaster.end_writers_v1()", {}, kind::read, left(until)); !ended) return ended.failure();
    }
  }

  expected<std::optional<timestamp>> renew(std::uint64_t term, duration ttl, timeout limit) override {
    parameters p;
    p.number(static_cast<std::int64_t>(term));
    p.span(ttl);
    auto r = c_.run("UPDATE taskmaster.leader SET expires_at = clock_timestamp() + $2, asked_at = clock_timestamp() WHERE term = $1 RETURNING clock_timestamp()", p, kind::read, limit);
    if (!r) return r.failure();
    if (PQntuples(r->get()) == 0) return std::optional<timestamp>();
    return std::optional(row(r->get(), 0).time(0));
  }

  expected<done> resign(std::uint64_t term, timeout limit) override {
    parameters p;
    p.number(static_cast<std::int64_t>(term));
    auto r = c_.run("UPDATE taskmaster.leader SET expires_at = clock_timestamp() - interval '1 us' WHERE term = $1", p, kind::read, limit);
    if (!r) return r.failure();
    return done{};
  }

  expected<done> enlist(std::uint64_t term, timeout limit) override {
    enlisted_ = term;
    parameters p;
    p.number(static_cast<std::int64_t>(term));
    auto r = c_.run("UPDATE taskmaster.leader SET backend_pids = array_append(array_remove(backend_pids, pg_backend_pid()), pg_backend_pid()) WHERE term = $1", p, kind::read, limit);
    if (!r) return r.failure();
    enlisted_in_ = c_.generation();
    return done{};
  }

  // -- the leader's reads ----------------------------------------------------------------------------------------------

  expected<std::vector<bucket_key>> buckets(timeout limit) override {
    // A skip scan: one index probe a bucket, whatever waits in it.
    auto r = c_.run("WITH RECURSIVE b AS ((SELECT queue, kind, priority FROM taskmaster.tasks ORDER BY queue, kind, priority LIMIT 1) UNION ALL "
                    "SELECT n.queue, n.kind, n.priority FROM b, LATERAL (SELECT t.queue, t.kind, t.priority FROM taskmaster.tasks t WHERE "
                    "(t.queue, t.kind, t.priority) > (b.queue, b.kind, b.priority) ORDER BY t.queue, t.kind, t.priority LIMIT 1) n) SELECT queue, kind, priority FROM b",
                    {}, kind::read, limit);
    if (!r) return r.failure();
    std::vector<bucket_key> out;
    for (int i = 0; i < PQntuples(r->get()); ++i) {
      const row at(r->get(), i);
      out.push_back({at.text(0), at.text(1), static_cast<std::int32_t>(at.integer(2))});
    }
    return out;
  }

  expected<window_page> load_window(const bucket_key& b, const window_mark& after, std::size_t rows, std::size_t bytes, timeout limit) override {
    parameters p;
    p.text(b.queue);
    p.text(b.kind);
    p.number(b.priority);
    p.time(std::max(after.run_at, timestamp(std::chrono::sys_days{std::chrono::year{1} / 1 / 1})));
    p.id(after.id);
    p.number(static_cast<std::int64_t>(rows) + 1);
    p.number(static_cast<std::int64_t>(bytes));
    auto r = c_.run(std::string("SELECT ") + task_columns + " FROM (SELECT *, row_number() OVER w AS n, sum(octet_length(payload)) OVER w AS bytes FROM ("
                    "SELECT * FROM taskmaster.tasks WHERE queue = $1 AND kind = $2 AND priority = $3::int8 AND (run_at, id) > ($4, $5) ORDER BY run_at, id LIMIT $6) t "
                    "WINDOW w AS (ORDER BY run_at, id)) t WHERE n = 1 OR bytes <= $7 + octet_length(payload) ORDER BY run_at, id",
                    p, kind::read, limit);
    if (!r) return r.failure();
    window_page out;
    std::size_t total = 0;
    for (int i = 0; i < PQntuples(r->get()); ++i) {
      if (out.tasks.size() == rows || (total >= bytes && !out.tasks.empty())) {
        out.more = true;
        break;
      }
      out.tasks.push_back(task_of(row(r->get(), i)));
      total += out.tasks.back().payload->size();
    }
    return out;
  }

  expected<scan_cursor> scan_start(timeout limit) override {
    auto r = c_.run("SELECT pg_snapshot_xmin(pg_current_snapshot())", {}, kind::read, limit);
    if (!r) return r.failure();
    scan_cursor out;
    out.since = static_cast<std::uint64_t>(row(r->get(), 0).integer(0));
    return out;
  }

  expected<scan_page> scan(const scan_cursor& from, std::size_t rows, timeout limit) override {
    parameters p;
    p.text(std::to_string(std::max(from.since, from.after_xid)));
    p.text(std::to_string(from.after_xid));
    p.id(from.after_id);
    p.number(static_cast<std::int64_t>(rows) + 1);
    auto r = c_.run(std::string("SELECT ") + task_columns + ", xid, pg_snapshot_xmin(pg_current_snapshot()) FROM taskmaster.tasks "
                    "WHERE xid >= $1::xid8 AND (xid, id) > ($2::xid8, $3) ORDER BY xid, id LIMIT $4",
                    p, kind::read, limit);
    if (!r) return r.failure();
    scan_page out;
    out.next = from;
    const int n = PQntuples(r->get());
    if (n == 0 && from.next_since == 0) { // nothing new: where the next pass starts has to be asked for by itself
      const auto start = scan_start(limit);
      if (!start) return start.failure();
      // Rows may have come between the two statements; the old start stays unless nothing was in progress then either.
      out.next = {from.since, 0, {}, 0};
      out.next.since = pending_since_ == 0 ? from.since : pending_since_;
      pending_since_ = start->since;
      return out;
    }
    pending_since_ = 0;
    if (from.next_since == 0) out.next.next_since = static_cast<std::uint64_t>(row(r->get(), 0).integer(25));
    for (int i = 0; i < n; ++i) {
      if (out.tasks.size() == rows) {
        out.more = true;
        break;
      }
      const row at(r->get(), i);
      out.tasks.push_back(task_of(at));
      out.next.after_xid = static_cast<std::uint64_t>(at.integer(24));
      out.next.after_id = out.tasks.back().id;
    }
    if (!out.more) out.next = {out.next.next_since, 0, {}, 0};
    return out;
  }

  expected<std::vector<task>> load(const std::vector<uuid>& ids, timeout limit) override {
    parameters p;
    p.ids(ids);
    auto r = c_.run(std::string("SELECT ") + task_columns + " FROM taskmaster.tasks WHERE id = ANY ($1)", p, kind::read, limit);
    if (!r) return r.failure();
    std::vector<task> out;
    for (int i = 0; i < PQntuples(r->get()); ++i) out.push_back(task_of(row(r->get(), i)));
    return out;
  }

  expected<std::vector<session_row>> sessions(timeout limit) override {
    auto r = c_.run("SELECT worker, incarnation, term FROM taskmaster.sessions", {}, kind::read, limit);
    if (!r) return r.failure();
    std::vector<session_row> out;
    for (int i = 0; i < PQntuples(r->get()); ++i) {
      const row at(r->get(), i);
      out.push_back({at.text(0), at.text(1), static_cast<std::uint64_t>(at.integer(2))});
    }
    return out;
  }

  // -- the leader's writes ---------------------------------------------------------------------------------------------

  expected<recorded> record(std::uint64_t term, const std::vector<task_change>& changes, timeout limit) override {
    const auto until = clock_t::now() + limit;
    if (const auto r = stay_enlisted(until); !r) return r.failure();
    recorded out;
    out.answers.resize(changes.size());
    std::vector<std::size_t> todo(changes.size());
    for (std::size_t i = 0; i < todo.size(); ++i) todo[i] = i;
    // Runs of one kind, in order; an id that comes again waits for the next statement (R7).
    while (!todo.empty()) {
      std::unordered_set<uuid> seen;
      std::vector<std::size_t> part, later;
      for (const auto i : todo) {
        const bool now = changes[i].what == changes[todo.front()].what && !seen.contains(changes[i].id);
        seen.insert(changes[i].id);
        (now ? part : later).push_back(i);
      }
      if (const auto r = record_part(term, changes, part, out, until); !r) return r.failure();
      todo = std::move(later);
    }
    return out;
  }

  expected<task> reopen(std::uint64_t term, const uuid& id, timeout limit) override {
    parameters p;
    p.number(static_cast<std::int64_t>(term));
    p.id(id);
    p.time(id.time() - std::chrono::hours(24));
    auto r = c_.run(std::string("SELECT ") + task_columns + " FROM taskmaster.reopen_task_v1($1, $2, $3)", p, kind::write, limit);
    if (!r) return r.failure();
    return task_of(row(r->get(), 0));
  }

  expected<done> open_session(std::uint64_t term, const session_row& s, timeout limit) override {
    return session_call("SELECT taskmaster.open_session_v1($1, $2, $3)", term, s.worker, s.incarnation, limit);
  }
  expected<done> close_session(std::uint64_t term, const std::string& worker, const std::string& incarnation, timeout limit) override {
    return session_call("SELECT taskmaster.close_session_v1($1, $2, $3)", term, worker, incarnation, limit);
  }

  expected<upkeep> maintain(duration retention, timeout limit) override {
    const auto until = clock_t::now() + limit;
    upkeep out;
    auto made = c_.run("SELECT taskmaster.make_partitions_v1(7)::int8", {}, kind::read, left(until));
    if (!made) return made.failure();
    out.made = static_cast<int>(row(made->get(), 0).integer(0));
    parameters p;
    p.span(retention);
    auto old = c_.run("SELECT name, attached, detaching FROM taskmaster.history_days WHERE day + 1 < ((clock_timestamp() - $1) AT TIME ZONE 'UTC')::date ORDER BY day", p, kind::read, left(until));
    if (!old) return old.failure();
    for (int i = 0; i < PQntuples(old->get()); ++i) {
      const row at(old->get(), i);
      const auto name = "taskmaster." + at.text(0); // of our own making: task_history_YYYYMMDD
      c_.script("SET lock_timeout = '100ms'", left(until));
      bool gone = true;
      if (at.boolean(1)) {
        // Never DROP an attached one: it would lock the parent, and every outcome with it. What gives way is tried again next time.
        const std::string how = at.boolean(2) ? " FINALIZE" : " CONCURRENTLY";
        gone = c_.script("ALTER TABLE taskmaster.task_history DETACH PARTITION " + name + how, left(until)).has_value();
      }
      if (gone && c_.script("DROP TABLE " + name, left(until))) ++out.dropped;
      c_.script("RESET lock_timeout", left(until));
    }
    auto keys = c_.run("WITH gone AS (DELETE FROM taskmaster.keys WHERE expires_at <= clock_timestamp() RETURNING 1) SELECT count(*) FROM gone", {}, kind::read, left(until));
    if (!keys) return keys.failure();
    out.keys_expired = row(keys->get(), 0).integer(0);
    parameters q;
    q.span(retention);
    if (auto r = c_.run("DELETE FROM taskmaster.attempts WHERE finished_at < clock_timestamp() - $1", q, kind::read, left(until)); !r) return r.failure();
    auto days = c_.run("SELECT count(*) FROM taskmaster.history_days WHERE attached AND day >= (clock_timestamp() AT TIME ZONE 'UTC')::date", {}, kind::read, left(until));
    if (!days) return days.failure();
    out.days_ahead = static_cast<int>(row(days->get(), 0).integer(0));
    return out;
  }

private:
  using clock_t = std::chrono::steady_clock;

  /// The columns that both ways of inserting share.
  static void put_specs(parameters& p, const std::vector<new_task>& tasks, const std::vector<std::size_t>& part, const std::vector<inserted>& out) {
    std::vector<uuid> ids;
    std::vector<std::string> queues, kinds, payloads, unique, concurrency, labels;
    std::vector<std::int32_t> priorities, attempts;
    std::vector<std::optional<timestamp>> run_ats, expires;
    std::vector<std::optional<duration>> delays, timeouts, initials, maxs;
    std::vector<double> factors, jitters;
    std::vector<bool> once;
    for (const auto i : part) {
      const auto& s = tasks[i].spec;
      const auto& t = out[i].task;
      ids.push_back(tasks[i].id);
      queues.push_back(s.queue);
      kinds.push_back(s.kind);
      priorities.push_back(s.priority);
      run_ats.push_back(s.run_at);
      delays.push_back(s.delay.value_or(duration(0)));
      payloads.push_back(s.payload);
      timeouts.push_back(s.timeout);
      expires.push_back(s.expires_at);
      attempts.push_back(t.max_attempts);
      initials.push_back(s.retry.initial);
      factors.push_back(s.retry.factor);
      maxs.push_back(s.retry.max);
      jitters.push_back(s.retry.jitter);
      once.push_back(s.delivery == delivery_mode::at_most_once);
      unique.push_back(s.unique_key);
      concurrency.push_back(s.concurrency_key);
      labels.push_back(labels_json(s.labels));
    }
    p.ids(ids), p.texts(queues), p.texts(kinds), p.integers(priorities), p.times(run_ats), p.spans(delays), p.blobs(payloads);
    p.spans(timeouts), p.times(expires), p.integers(attempts), p.spans(initials), p.doubles(factors), p.spans(maxs), p.doubles(jitters);
    p.booleans(once), p.texts(unique), p.texts(concurrency), p.jsons(labels);
  }

  expected<done> know_queues(const std::vector<new_task>& tasks, clock_t::time_point until) {
    std::vector<std::string> fresh;
    for (const auto& t : tasks)
      if (valid_name(t.spec.queue) && known_queues_.insert(t.spec.queue).second) fresh.push_back(t.spec.queue);
    if (known_queues_.size() > 10'000) known_queues_.clear(); // a bound; asked again at worst
    if (fresh.empty()) return done{};
    std::sort(fresh.begin(), fresh.end());
    parameters p;
    p.texts(fresh);
    auto r = c_.run("INSERT INTO taskmaster.queues (name) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING", p, kind::read, left(until));
    if (r) return done{};
    for (const auto& q : fresh) known_queues_.erase(q);
    return r.failure();
  }

  static bool row_is_at_fault(const error& e) { return e.code == ec::unprocessable; }

  expected<done> insert_plain(const std::vector<new_task>& tasks, const std::vector<std::size_t>& part, std::vector<inserted>& out, clock_t::time_point until) {
    parameters p;
    put_specs(p, tasks, part, out);
    auto r = c_.run("INSERT INTO taskmaster.tasks (id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts, retry_initial, "
                    "retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key, labels) "
                    "SELECT u.id, u.queue, u.kind, u.priority, coalesce(u.run_at, n.now + u.delay), n.now, u.payload, u.timeout, u.expires_at, u.attempts, u.initial, "
                    "u.factor, u.most, u.jitter, u.once, u.ukey, u.ckey, u.labels FROM (SELECT clock_timestamp() AS now OFFSET 0) n, "
                    "unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) AS u (id, queue, kind, priority, run_at, delay, payload, "
                    "timeout, expires_at, attempts, initial, factor, most, jitter, once, ukey, ckey, labels) RETURNING id, run_at, created_at",
                    p, kind::write, left(until));
    if (r) {
      std::unordered_map<uuid, std::size_t> by_id;
      for (const auto i : part) by_id[tasks[i].id] = i;
      for (int n = 0; n < PQntuples(r->get()); ++n) {
        const row at(r->get(), n);
        auto& t = out[by_id.at(at.id(0))].task;
        t.run_at = at.time(1);
        t.created_at = at.time(2);
      }
      return done{};
    }
    if (!row_is_at_fault(r.failure())) return r.failure();
    return halve(part, r.failure(), out, [&](const std::vector<std::size_t>& half) { return insert_plain(tasks, half, out, until); });
  }

  expected<done> insert_keyed(const std::vector<new_task>& tasks, const std::vector<std::size_t>& part, std::vector<inserted>& out, clock_t::time_point until) {
    parameters p;
    put_specs(p, tasks, part, out);
    std::vector<std::string> keys, prints;
    for (const auto i : part) {
      keys.push_back(tasks[i].spec.idempotency_key);
      prints.push_back(tasks[i].fingerprint);
    }
    p.texts(keys), p.blobs(prints);
    auto r = c_.run("SELECT place, verdict, id, run_at, created_at FROM taskmaster.insert_keyed_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
                    p, kind::write, left(until));
    if (r) {
      for (int n = 0; n < PQntuples(r->get()); ++n) {
        const row at(r->get(), n);
        auto& answer = out[part[static_cast<std::size_t>(at.integer(0)) - 1]];
        const auto verdict = at.text(1);
        if (verdict == "other_body") {
          answer.refused = error(ec::unprocessable, "this Idempotency-Key was used with another task; take a new key or submit the first task again",
                                 {{"/idempotency_key", "was used with another task"}});
          continue;
        }
        answer.repeated = verdict == "repeated";
        answer.task.id = at.id(2);
        if (answer.repeated) continue;
        answer.task.run_at = at.time(3);
        answer.task.created_at = at.time(4);
      }
      return done{};
    }
    const bool blocked = c_.sqlstate() == "55P03";
    if (!blocked && !row_is_at_fault(r.failure())) return r.failure();
    error why = r.failure();
    if (blocked) {
      why = error(ec::exhausted, "another transaction holds this key at the moment, try again");
      why.retry_after = std::chrono::seconds(1);
    }
    return halve(part, why, out, [&](const std::vector<std::size_t>& half) { return insert_keyed(tasks, half, out, until); });
  }

  /// One bad row is found by halving (log n statements; savepoints would overflow PostgreSQL's cache above 64); the others are stored.
  template <class Again>
  static expected<done> halve(const std::vector<std::size_t>& part, const error& why, std::vector<inserted>& out, Again again) {
    if (part.size() == 1) {
      out[part[0]].refused = why;
      return done{};
    }
    const auto middle = part.begin() + static_cast<std::ptrdiff_t>(part.size() / 2);
    if (auto r = again(std::vector(part.begin(), middle)); !r) return r;
    return again(std::vector(middle, part.end()));
  }

  expected<done> stay_enlisted(clock_t::time_point until) {
    if (!enlisted_) return done{};
    if (auto r = c_.ready(until); !r) return r.failure();
    if (enlisted_in_ == c_.generation()) return done{};
    return enlist(enlisted_, left(until));
  }

  expected<done> session_call(const char* sql, std::uint64_t term, const std::string& worker, const std::string& incarnation, timeout limit) {
    parameters p;
    p.number(static_cast<std::int64_t>(term));
    p.text(worker);
    p.text(incarnation);
    auto r = c_.run(sql, p, kind::read, limit);
    if (!r) return r.failure();
    return done{};
  }

  expected<done> record_part(std::uint64_t term, const std::vector<task_change>& all, const std::vector<std::size_t>& part, recorded& out, clock_t::time_point until) {
    const auto what = all[part.front()].what;
    std::vector<uuid> ids;
    std::vector<std::int32_t> attempts, losses;
    std::vector<std::string> states, reasons, codes, messages, results, workers;
    std::vector<std::int64_t> terms, sequences;
    std::vector<std::optional<timestamp>> picked, started;
    std::vector<std::optional<duration>> waits;
    std::vector<bool> burned;
    std::unordered_map<uuid, std::size_t> by_id;
    for (const auto i : part) {
      const auto& c = all[i];
      by_id[c.id] = i;
      ids.push_back(c.id);
      attempts.push_back(c.version.attempt);
      losses.push_back(c.version.losses);
      states.emplace_back(to_string(c.state));
      reasons.push_back(c.reason);
      codes.push_back(c.failure ? c.failure->code : "");
      messages.push_back(c.failure ? c.failure->message : "");
      results.push_back(c.result);
      workers.push_back(c.worker);
      terms.push_back(static_cast<std::int64_t>(c.fence.term));
      sequences.push_back(static_cast<std::int64_t>(c.fence.sequence));
      picked.push_back(c.picked_at);
      started.push_back(c.started_at);
      waits.push_back(c.wait);
      burned.push_back(c.burned);
    }
    parameters p;
    p.number(static_cast<std::int64_t>(term));
    p.ids(ids), p.integers(attempts), p.integers(losses);
    std::string sql;
    switch (what) {
    case task_change::type::finish:
      p.texts(states), p.texts(reasons), p.texts(codes), p.texts(messages), p.blobs(results), p.texts(workers), p.bigints(terms), p.bigints(sequences), p.times(picked), p.times(started);
      sql = "SELECT now, already, stale FROM taskmaster.finish_tasks_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
      break;
    case task_change::type::retry:
      p.spans(waits), p.booleans(burned), p.texts(reasons), p.texts(codes), p.texts(messages), p.texts(workers), p.bigints(terms), p.bigints(sequences), p.times(picked), p.times(started);
      sql = "SELECT id, run_at, clock_timestamp() FROM taskmaster.retry_tasks_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
      break;
    case task_change::type::lose:
      p.texts(reasons), p.texts(codes), p.texts(messages), p.texts(workers), p.bigints(terms), p.bigints(sequences), p.times(picked), p.times(started);
      sql = "SELECT id, run_at, clock_timestamp() FROM taskmaster.lose_tasks_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
      break;
    case task_change::type::mark:
      p.bigints(terms), p.bigints(sequences);
      sql = "SELECT id, already, clock_timestamp() FROM taskmaster.mark_tasks_v1($1, $2, $3, $4, $5, $6)";
      break;
    }
    auto r = c_.run(sql, p, kind::write, left(until));
    if (!r) {
      if (!row_is_at_fault(r.failure())) return r.failure();
      if (part.size() == 1) {
        out.answers[part[0]].verdict = change_verdict::refused;
        return done{};
      }
      const auto middle = part.begin() + static_cast<std::ptrdiff_t>(part.size() / 2);
      if (auto half = record_part(term, all, std::vector(part.begin(), middle), out, until); !half) return half;
      return record_part(term, all, std::vector(middle, part.end()), out, until);
    }
    if (what == task_change::type::finish) {
      const row at(r->get(), 0);
      out.now = at.time(0);
      for (const auto i : part) out.answers[i].verdict = change_verdict::applied;
      for (const auto& id : at.ids(1)) out.answers[by_id.at(id)].verdict = change_verdict::already;
      for (const auto& id : at.ids(2)) out.answers[by_id.at(id)].verdict = change_verdict::stale;
      return done{};
    }
    for (int n = 0; n < PQntuples(r->get()); ++n) {
      const row at(r->get(), n);
      auto& a = out.answers[by_id.at(at.id(0))];
      out.now = at.time(2);
      if (what == task_change::type::mark) {
        a.verdict = at.boolean(1) ? change_verdict::already : change_verdict::applied;
      } else {
        a.verdict = change_verdict::applied;
        a.run_at = at.time(1);
      }
    }
    if (PQntuples(r->get()) == 0)
      if (const auto now = clock(left(until))) out.now = *now;
    return done{};
  }

  connection c_;
  std::set<std::string> known_queues_;
  std::uint64_t enlisted_ = 0, enlisted_in_ = 0;
  std::uint64_t pending_since_ = 0; // xmin seen by the last empty pass: where the pass after the next may start
};

} // namespace

std::unique_ptr<task_store> make_postgres_store(postgres_options options) { return std::make_unique<postgres_store>(std::move(options)); }

} // namespace taskmaster
