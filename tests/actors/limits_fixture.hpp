// A plan over a database of rows that answers its refills, and workers that finish, fail and get lost by a seed: for the rules of limits.
#pragma once
#include "tests/actors/plan_fixture.hpp"

#include <map>
#include <random>

namespace taskmaster::test {

struct limits_fixture {
  static constexpr const char* secret = "s";
  plan_options options;
  plan p;
  timestamp now = at(1'000);
  steady_time clock{std::chrono::hours(1)};
  std::uint64_t term = 20;
  std::map<uuid, task> rows; // unfinished, as the database has them
  std::map<uuid, std::pair<session_id, assignment>> out; // what workers have
  std::uint32_t next_id = 0;

  explicit limits_fixture(plan_options o = {}) : options(o), p(o) { lead(false); }

  void lead(bool grace) {
    p.lead({term, term - 1, now - std::chrono::milliseconds(1), secret}, grace, clock);
  }
  void set(const std::string& queue, const std::function<void(queue_settings&)>& change) {
    auto s = p.settings_of(queue);
    change(s);
    p.set_queue(s, now);
  }

  task row(const std::string& key = "", const std::string& queue = "default", timestamp run_at = at(0), const std::string& kind = "k",
           std::int32_t priority = 0) {
    task t;
    const auto n = ++next_id;
    t.id.bytes[0] = 1;
    for (int i = 0; i < 4; ++i) t.id.bytes[static_cast<std::size_t>(15 - i)] = static_cast<std::uint8_t>(n >> (8 * i));
    t.queue = queue;
    t.kind = kind;
    t.priority = priority;
    t.run_at = run_at;
    t.created_at = now;
    t.concurrency_key = key;
    t.max_attempts = 1'000;
    t.payload = std::make_shared<const std::string>("null");
    return t;
  }
  /// Stored and announced.
  uuid submit(task t) {
    rows[t.id] = t;
    p.announced(t, now);
    return t.id;
  }
  uuid submit(const std::string& key = "", const std::string& queue = "default", const std::string& kind = "k", std::int32_t priority = 0) {
    return submit(row(key, queue, now, kind, priority));
  }
  /// Stored, and to be found by refills only.
  uuid store(task t) {
    t.created_at = at(-1'000'000);
    rows[t.id] = t;
    return t.id;
  }

  session_id worker(session_id id, std::int32_t credit, std::vector<std::string> kinds = {"k"}) {
    hello h;
    h.name = "w" + std::to_string(id);
    h.incarnation = std::to_string(id);
    h.kinds = std::move(kinds);
    h.slots = std::max(1, credit);
    h.credit = credit;
    p.open_session(id, h);
    return id;
  }
  std::vector<assignment> dispatch() {
    std::vector<plan::hand_out> given;
    while (p.dispatch(now, secret, given)) {}
    std::vector<assignment> all;
    for (auto& h : given)
      for (auto& a : h.tasks) {
        out[a.what.what.task] = {h.session, a};
        all.push_back(a);
      }
    return all;
  }
  std::vector<uuid> dispatched() {
    std::vector<uuid> ids;
    for (const auto& a : dispatch()) ids.push_back(a.what.what.task);
    return ids;
  }
  /// The worker reports, the database records, its slot is free again.
  void finish(const uuid& id, run_outcome outcome = run_outcome::succeeded) {
    const auto [session, a] = out.at(id);
    out.erase(id);
    p.finished(session, plan_fixture::result_of(a, outcome));
    record();
    p.credit(session, 1);
  }
  void record() {
    const auto changes = p.take_changes();
    recorded answers;
    answers.now = now;
    for (const auto& c : changes) {
      answers.answers.push_back({change_verdict::applied, now + c.wait});
      auto& t = rows.at(c.id);
      switch (c.what) {
      case task_change::type::finish: rows.erase(c.id); break;
      case task_change::type::retry:
        ++t.attempt;
        c.burned ? ++t.failures : ++t.deferrals;
        t.run_at = now + c.wait;
        break;
      case task_change::type::lose:
        ++t.losses;
        answers.answers.back().run_at = t.run_at;
        break;
      case task_change::type::mark: t.marked = c.fence; break;
      case task_change::type::free_key: break;
      }
    }
    std::vector<plan::settled> settled;
    std::vector<plan::hand_out> marked;
    std::vector<uuid> again;
    p.recorded(changes, answers, now, secret, settled, marked, again);
    for (auto& h : marked)
      for (auto& a : h.tasks) out[a.what.what.task] = {h.session, a};
  }
  /// Answers refills until none is wanted; how many.
  std::size_t refill() {
    std::size_t n = 0;
    for (bool more = true; more;) {
      more = false;
      for (auto& r : p.take_refills(4)) {
        const auto walk = r.past.empty() ? options.window_rows : options.window_rows * 16;
        auto page = window(r.bucket, r.after, options.window_rows, walk, [&](const task& t) {
          return t.concurrency_key.empty() || !r.past.contains(t.concurrency_key);
        });
        p.refilled(r, std::move(page), now);
        more = true;
        ++n;
      }
      if (auto keys = p.take_key_refill(); !keys.windows.empty()) {
        std::vector<window_page> pages;
        for (const auto& w : keys.windows) {
          pages.push_back(window(w.bucket, w.after, options.line_rows, rows.size() + 1,
                                 [&](const task& t) { return t.concurrency_key == w.key; }));
          pages.back().walked.reset();
        }
        p.key_refilled(keys, std::move(pages), now);
        more = true;
        ++n;
      }
    }
    return n;
  }
  window_page window(const bucket_key& where, const window_mark& after, std::size_t most, std::size_t walk,
                     const std::function<bool(const task&)>& passes) const {
    std::map<window_mark, const task*> sorted;
    for (const auto& [id, t] : rows)
      if (bucket_key{t.queue, t.kind, t.priority} == where && window_mark{t.run_at, t.id} > after) sorted[{t.run_at, t.id}] = &t;
    window_page page;
    std::size_t walked = 0;
    for (const auto& [at, t] : sorted) {
      if (walked == walk || (passes(*t) && page.tasks.size() == most)) {
        page.more = true;
        break;
      }
      ++walked;
      page.walked = at;
      if (passes(*t)) page.tasks.push_back(*t);
    }
    return page;
  }
  void pass(std::chrono::microseconds d) {
    now += d;
    clock += d;
    p.sweep(clock);
  }
};

} // namespace taskmaster::test
