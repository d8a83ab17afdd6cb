#include "schema/memory_store.hpp"

#include "schema/graph.hpp"
#include "schema/memory_database.hpp"

#include <algorithm>
#include <limits>

namespace taskmaster {

namespace {

constexpr std::int64_t count_cap = 10'000;
constexpr std::string_view cluster_secret = "the secret of a cluster in memory";

bool carries(const std::map<std::string, std::string>& labels,
             const std::map<std::string, std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    auto at = labels.find(label.first);
    return at != labels.end() && at->second == label.second;
  });
}

bool passes(const task_record& r, const task_filter& f) {
  if ((!f.queue.empty() && r.task.queue != f.queue) || (!f.kind.empty() && r.task.kind != f.kind) ||
      (!f.group.empty() && options_of(r.task.options).group != f.group) ||
      !carries(r.labels, f.labels))
    return false;
  if (!f.reason.empty() && r.reason != f.reason) return false;
  if (!f.ids.empty() && std::find(f.ids.begin(), f.ids.end(), r.task.id) == f.ids.end()) return false;
  if (!f.state) return true;
  if (*f.state == task_state::running) return !f.ids.empty() && !finished(r.state);
  return r.state == *f.state;
}

/// What a listed task adds to its page: the parts that vary, and an allowance for the others.
std::size_t weight(const task_record& r) {
  auto sum = r.task.payload->size() + r.result.size() + (r.error ? r.error->message.size() : 0) + 512;
  for (const auto& [key, value] : r.labels) sum += key.size() + value.size();
  return sum;
}

class memory_store final : public task_store {
public:
  explicit memory_store(std::shared_ptr<memory_database> database) : db_(std::move(database)) {}

  expected<std::vector<inserted>> insert(const std::vector<new_task>& wanted, timeout) override {
    std::lock_guard guard{db_->mutex};
    std::vector<inserted> answers;
    answers.reserve(wanted.size());
    for (const auto& w : wanted) answers.push_back(db_->insert(w));
    return answers;
  }

  expected<std::vector<inserted>> insert_graph(const std::vector<new_task>& rows, timeout) override {
    std::lock_guard guard{db_->mutex};
    return db_->insert_graph(rows);
  }

  expected<std::optional<task_record>> find(const uuid& id, timeout) override {
    std::lock_guard guard{db_->mutex};
    return db_->find(id);
  }

  expected<task_page> list(const task_filter& filter, timeout) override {
    std::lock_guard guard{db_->mutex};
    auto before = window_mark::end().id;
    if (!filter.cursor.empty()) {
      auto parsed = uuid::parse(filter.cursor);
      if (!parsed)
        return error{ec::invalid_argument,
                     "the cursor is not one of a page before",
                     {{"/cursor", "take next_cursor of the page before"}}};
      before = *parsed;
    }
    // Two maps in id order, walked from their ends as the query merges two indexes.
    auto live = db_->tasks.lower_bound(before);
    auto old = db_->history.lower_bound(before);
    auto limit = std::clamp<std::size_t>(filter.limit, 1, limits::page);
    task_page page;
    std::size_t bytes = 0;
    while (live != db_->tasks.begin() || old != db_->history.begin()) {
      bool take_live = old == db_->history.begin() ||
                       (live != db_->tasks.begin() && std::prev(live)->first > std::prev(old)->first);
      auto shown = take_live ? db_->show((--live)->second) : (--old)->second;
      if (!passes(shown, filter)) continue;
      bytes += weight(shown);
      if (page.tasks.size() == limit || (bytes > limits::page_bytes && !page.tasks.empty())) {
        page.next_cursor = page.tasks.back().task.id.str();
        break;
      }
      page.tasks.push_back(std::move(shown));
    }
    return page;
  }

  expected<std::vector<attempt_record>> attempts(const uuid& id, timeout) override {
    std::lock_guard guard{db_->mutex};
    std::vector<attempt_record> runs;
    if (auto at = db_->attempts.find(id); at != db_->attempts.end()) runs = at->second;
    if (auto at = db_->history.find(id);
        at != db_->history.end() && at->second.state == task_state::succeeded)
      if (auto run = last_run(at->second)) runs.push_back(*run);
    return runs;
  }

  expected<std::vector<edge>> awaits(const uuid& id, std::size_t most, timeout) override {
    std::lock_guard guard{db_->mutex};
    return db_->awaits(id, most);
  }

  expected<std::vector<queue_summary>> queues(timeout) override {
    std::lock_guard guard{db_->mutex};
    std::map<std::string, queue_summary> found;
    for (const auto& name : db_->queues) found[name].name = name;
    auto now = db_->now();
    for (const auto& [bucket, window] : db_->windows)
      for (const auto& [run_at, id] : window) {
        auto& q = found[bucket.queue];
        auto& count = run_at <= now ? q.ready : q.scheduled;
        if (count == count_cap)
          q.capped = true;
        else
          ++count;
      }
    std::vector<queue_summary> answer;
    for (auto& [name, summary] : found) answer.push_back(std::move(summary));
    return answer;
  }

  expected<std::vector<queue_settings>> settings(timeout) override {
    std::lock_guard guard{db_->mutex};
    std::vector<queue_settings> answer;
    for (const auto& name : db_->queues) {
      const auto at = db_->settings.find(name);
      answer.push_back(at == db_->settings.end() ? queue_settings{} : at->second);
      answer.back().name = name;
    }
    return answer;
  }

  expected<schedule_page> schedules(const std::string& cursor, std::size_t most, timeout) override {
    std::lock_guard guard{db_->mutex};
    return db_->page_of_schedules(cursor, most);
  }

  expected<std::optional<schedule_record>> find_schedule(const std::string& name, timeout) override {
    std::lock_guard guard{db_->mutex};
    const auto at = db_->schedules.find(name);
    return at == db_->schedules.end() ? std::optional<schedule_record>{} : std::optional{at->second};
  }

  expected<ledger_page> schedule_ledger(const std::string& name, const std::string& cursor, std::size_t most,
                                        timeout) override {
    std::lock_guard guard{db_->mutex};
    return db_->page_of_ledger(name, cursor, most);
  }

  expected<leader_info> leader(timeout) override {
    std::lock_guard guard{db_->mutex};
    if (!db_->leader) return error{ec::not_found, "no coordinator has led yet; start one"};
    const auto& l = *db_->leader;
    return leader_info{l.term, l.holder, l.address, l.expires_at, db_->now()};
  }

  expected<timestamp> clock(timeout) override {
    std::lock_guard guard{db_->mutex};
    return db_->now();
  }

  expected<std::optional<leader_lease>> acquire(const std::string& holder, const std::string& address,
                                                duration ttl, timeout) override {
    std::lock_guard guard{db_->mutex};
    auto now = db_->now();
    if (db_->leader && db_->leader->expires_at >= now) return std::optional<leader_lease>{};
    auto last = db_->leader ? db_->leader->term : 0;
    auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    auto term = std::max(last + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)));
    db_->leader = memory_database::lease_row{term, last, holder, address, now + ttl};
    return std::optional{leader_lease{term, last, now, std::string(cluster_secret)}};
  }

  expected<std::optional<timestamp>> renew(std::uint64_t term, duration ttl, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (db_->deposed(term) || db_->leader->expires_at == timestamp::min()) return std::optional<timestamp>{};
    auto now = db_->now();
    db_->leader->expires_at = now + ttl;
    return std::optional{now};
  }

  expected<done> resign(std::uint64_t term, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (!db_->deposed(term))
      db_->leader->expires_at = timestamp::min(); // a renewal that arrives later does not bring it back
    return done{};
  }

  expected<done> enlist(std::uint64_t term, timeout) override {
    std::lock_guard guard{db_->mutex};
    return under(term);
  }

  expected<std::vector<bucket_key>> buckets(timeout) override {
    std::lock_guard guard{db_->mutex};
    std::vector<bucket_key> found;
    for (const auto& [bucket, window] : db_->windows) found.push_back(bucket);
    return found;
  }

  expected<window_page> load_window(const bucket_key& bucket, const window_mark& after, std::size_t rows,
                                    std::size_t bytes, timeout) override {
    std::lock_guard guard{db_->mutex};
    window_page page;
    auto window = db_->windows.find(bucket);
    if (window == db_->windows.end()) return page;
    std::size_t sum = 0;
    for (auto at = window->second.upper_bound({after.run_at, after.id}); at != window->second.end(); ++at) {
      if (at->first == timestamp::max()) break; // from here on they wait for others
      if (page.tasks.size() >= rows || (sum >= bytes && !page.tasks.empty())) {
        page.more = true;
        break;
      }
      const auto& r = db_->tasks.at(at->second);
      sum += r.task.payload->size();
      page.tasks.push_back(db_->planned(r));
    }
    return page;
  }

  expected<window_page> load_window_past(const bucket_key& bucket, const window_mark& after, std::size_t rows,
                                         std::size_t bytes, const std::set<std::string>& keys, std::size_t walk,
                                         timeout) override {
    std::lock_guard guard{db_->mutex};
    return walk_window(bucket, after, rows, bytes, walk,
                       [&](const task& t) { return t.concurrency_key.empty() || !keys.contains(t.concurrency_key); });
  }

  expected<std::vector<window_page>> load_key_windows(const std::vector<key_window>& windows, std::size_t rows,
                                                      std::size_t bytes, timeout) override {
    std::lock_guard guard{db_->mutex};
    std::vector<window_page> pages;
    for (const auto& w : windows) {
      pages.push_back(walk_window(w.bucket, w.after, rows, bytes, std::numeric_limits<std::size_t>::max(),
                                  [&](const task& t) { return t.concurrency_key == w.key; }));
      pages.back().walked.reset();
    }
    return pages;
  }

  expected<scan_cursor> scan_start(timeout) override {
    std::lock_guard guard{db_->mutex};
    return scan_cursor{db_->next_xid, 0, {}, 0};
  }

  expected<scan_page> scan(const scan_cursor& from, std::size_t rows, timeout,
                           const std::vector<std::uint64_t>& known) override {
    const std::set<std::uint64_t> without(known.begin(), known.end());
    std::lock_guard guard{db_->mutex};
    scan_page page;
    page.next = from;
    if (from.next_since == 0)
      page.next.next_since =
          db_->next_xid; // nothing is open here, so the next change is the oldest unseen one
    auto at = from.after_xid == 0 ? db_->by_xid.lower_bound({from.since, uuid{}})
                                  : db_->by_xid.upper_bound({from.after_xid, from.after_id});
    std::size_t bytes = 0;
    for (; at != db_->by_xid.end() && page.tasks.size() < rows; ++at) {
      const auto& r = db_->tasks.at(at->second);
      if (waits(r.task) || without.contains(at->first)) continue;
      bytes += r.task.payload->size();
      if (bytes > limits::page_bytes && !page.tasks.empty()) {
        page.more = true;
        break;
      }
      page.tasks.push_back(db_->planned(r));
      page.next.after_xid = at->first;
      page.next.after_id = at->second;
    }
    page.more = page.more || page.tasks.size() == rows;
    if (!page.more) page.next = scan_cursor{page.next.next_since, 0, {}, 0};
    return page;
  }

  expected<std::vector<task>> load(const std::vector<uuid>& ids, timeout) override {
    std::lock_guard guard{db_->mutex};
    std::vector<task> found;
    for (const auto& id : ids)
      if (auto at = db_->tasks.find(id); at != db_->tasks.end()) found.push_back(db_->planned(at->second));
    return found;
  }

  expected<std::map<std::string, std::vector<uuid>>> unfinished_of(const std::vector<std::string>& names,
                                                                   timeout) override {
    std::lock_guard guard{db_->mutex};
    std::map<std::string, std::vector<uuid>> found;
    for (const auto& name : names)
      if (auto ids = db_->unfinished_of(name); !ids.empty()) found.emplace(name, std::move(ids));
    return found;
  }

  expected<std::vector<session_row>> sessions(timeout) override {
    std::lock_guard guard{db_->mutex};
    std::vector<session_row> rows;
    for (const auto& [key, term] : db_->sessions) rows.push_back({key.first, key.second, term});
    return rows;
  }

  expected<recorded> record(std::uint64_t term, const std::vector<task_change>& changes, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (auto over = db_->deposed(term)) return *over;
    recorded answer;
    for (const auto& change : changes) answer.answers.push_back(db_->change(change));
    answer.now = db_->now();
    return answer;
  }

  expected<follow_up_page> follow_up(std::uint64_t term, std::size_t most, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (auto over = db_->deposed(term)) return *over;
    return db_->follow_up(most);
  }

  expected<task> reopen(std::uint64_t term, const uuid& id, timeout, duration wait) override {
    std::lock_guard guard{db_->mutex};
    if (auto over = db_->deposed(term)) return *over;
    return db_->reopen(id, wait);
  }

  expected<std::optional<task>> edit(std::uint64_t term, const task_edition& what, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (auto over = db_->deposed(term)) return *over;
    return db_->edit(what);
  }

  expected<done> keep_checkpoints(std::uint64_t term, const std::vector<kept_checkpoint>& all, timeout) override {
    std::lock_guard guard{db_->mutex};
    auto answer = under(term);
    if (answer)
      for (const auto& c : all) db_->keep(c);
    return answer;
  }

  expected<done> set_queue(std::uint64_t term, const queue_settings& settings, timeout) override {
    std::lock_guard guard{db_->mutex};
    auto answer = under(term);
    if (answer) {
      db_->queues.insert(settings.name);
      db_->settings[settings.name] = settings;
    }
    return answer;
  }

  expected<schedule_record> put_schedule(std::uint64_t term, const schedule_record& record, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (auto over = db_->deposed(term)) return *over;
    return db_->put_schedule(record);
  }

  expected<done> delete_schedule(std::uint64_t term, const std::string& name, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (auto over = db_->deposed(term)) return *over;
    if (!db_->delete_schedule(name)) return error{ec::not_found, "there is no schedule '" + name + "'"};
    return done{};
  }

  expected<std::vector<fired_schedule>> fire_schedules(std::uint64_t term,
                                                       const std::vector<schedule_firing>& firings,
                                                       timeout) override {
    std::lock_guard guard{db_->mutex};
    if (auto over = db_->deposed(term)) return *over;
    std::vector<fired_schedule> answers;
    for (const auto& f : firings) answers.push_back(db_->fire(f));
    return answers;
  }

  expected<int> renew_transactions(std::uint64_t term, int, timeout) override {
    std::lock_guard guard{db_->mutex};
    if (auto held = under(term); !held) return held.failure();
    return 0; // nothing comes here from another server
  }

  expected<done> open_session(std::uint64_t term, const session_row& row, timeout) override {
    std::lock_guard guard{db_->mutex};
    auto answer = under(term);
    if (answer) db_->sessions[{row.worker, row.incarnation}] = term;
    return answer;
  }

  expected<done> close_session(std::uint64_t term, const std::string& worker, const std::string& incarnation,
                               timeout) override {
    std::lock_guard guard{db_->mutex};
    auto answer = under(term);
    if (answer) db_->sessions.erase({worker, incarnation});
    return answer;
  }

  expected<upkeep> maintain(duration retention, timeout) override {
    std::lock_guard guard{db_->mutex};
    upkeep answer;
    answer.days_ahead = 8; // a map has room for any day
    answer.keys_expired = db_->forget(retention);
    db_->forget_firings(retention);
    return answer;
  }

private:
  template <class Passes>
  window_page walk_window(const bucket_key& bucket, const window_mark& after, std::size_t rows, std::size_t bytes,
                          std::size_t walk, Passes passes) const {
    window_page page;
    const auto window = db_->windows.find(bucket);
    if (window == db_->windows.end()) return page;
    std::size_t sum = 0, walked = 0;
    for (auto at = window->second.upper_bound({after.run_at, after.id}); at != window->second.end(); ++at) {
      if (at->first == timestamp::max()) break;
      const auto& r = db_->tasks.at(at->second);
      const auto& t = r.task;
      const bool full = passes(t) && (page.tasks.size() >= rows || (sum >= bytes && !page.tasks.empty()));
      if (full || walked == walk) {
        page.more = true;
        break;
      }
      ++walked;
      page.walked = window_mark{at->first, at->second};
      if (!passes(t)) continue;
      sum += t.payload->size();
      page.tasks.push_back(db_->planned(r));
    }
    return page;
  }

  expected<done> under(std::uint64_t term) const {
    if (auto over = db_->deposed(term)) return *over;
    return done{};
  }

  std::shared_ptr<memory_database> db_;
};

} // namespace

std::shared_ptr<memory_database> make_memory_database(std::function<timestamp()> clock) {
  return std::make_shared<memory_database>(std::move(clock));
}

std::unique_ptr<task_store> make_memory_store(std::shared_ptr<memory_database> database) {
  return std::make_unique<memory_store>(std::move(database));
}

} // namespace taskmaster
