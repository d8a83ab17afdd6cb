// A plan with a leader's lease, and short words for what tests do to it.
#pragma once
#include "actors/plan.hpp"
#include "tests/catch.hpp"

namespace taskmaster::test {

inline timestamp at(std::int64_t ms) { return timestamp(std::chrono::milliseconds(1'700'000'000'000 + ms)); }

inline task make_row(int number, timestamp run_at, timestamp created_at, const std::string& kind = "k", std::int32_t priority = 0) {
  task t;
  t.id.bytes[14] = static_cast<std::uint8_t>(number / 256);
  t.id.bytes[15] = static_cast<std::uint8_t>(number % 256);
  t.id.bytes[0] = 1;
  t.kind = kind;
  t.priority = priority;
  t.run_at = run_at;
  t.created_at = created_at;
  t.payload = std::make_shared<const std::string>("null");
  return t;
}

struct plan_fixture {
  static constexpr const char* secret = "s";
  plan p;
  timestamp now = at(1'000);
  steady_time clock{std::chrono::hours(1)};

  explicit plan_fixture(bool grace = false, plan_options options = {}) : p(options) {
    p.lead({20, 19, at(0), secret}, grace, clock);
  }

  session_id worker(session_id id, std::int32_t credit, std::vector<std::string> kinds = {"k"}, const std::string& incarnation = "i") {
    hello h;
    h.name = "w";
    h.incarnation = incarnation;
    h.kinds = std::move(kinds);
    h.slots = credit > 0 ? credit : 1;
    h.credit = credit;
    p.open_session(id, h);
    return id;
  }
  std::vector<assignment> dispatch() {
    std::vector<plan::hand_out> out;
    while (p.dispatch(now, secret, out)) {}
    std::vector<assignment> all;
    for (auto& h : out) all.insert(all.end(), h.tasks.begin(), h.tasks.end());
    return all;
  }
  bool announce(const task& t) { return p.announced(t, now); }
  static run_result result_of(const assignment& a, run_outcome outcome = run_outcome::succeeded) {
    run_result r;
    r.what = a.what;
    r.outcome = outcome;
    if (outcome != run_outcome::succeeded) r.failure = task_error{"exit", "exit status 1"};
    return r;
  }
  struct answered {
    std::vector<task_change> changes;
    std::vector<plan::settled> settled;
    std::vector<plan::hand_out> marked;
    std::vector<uuid> read_again;
  };
  /// The database applies (or not) everything that is to be recorded.
  answered record(change_verdict verdict = change_verdict::applied) {
    answered out;
    out.changes = p.take_changes();
    recorded answers;
    answers.now = now;
    for (const auto& c : out.changes) answers.answers.push_back({verdict, now + c.wait});
    p.recorded(out.changes, answers, now, secret, out.settled, out.marked, out.read_again);
    return out;
  }
  void pass(std::chrono::milliseconds d) {
    now += d;
    clock += d;
    p.sweep(clock);
  }
};

} // namespace taskmaster::test
