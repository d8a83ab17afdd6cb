// Transitions under storms of retries, losses, cancels, changes by hand and small windows, with a scan that meets every row again and again: each is told once, and
// each follows from the one before. The seed makes the storm; a failure names it.
#include "tests/actors/limits_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

struct telling_storm : limits_fixture {
  std::mt19937_64 chance;
  std::map<uuid, std::pair<task_state, std::int32_t>> last; // state and attempt, as told
  std::size_t told = 0;

  telling_storm(std::uint64_t seed, plan_options o) : limits_fixture(o), chance(seed) { p.tell(true, now); }
  std::size_t pick(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(chance); }

  void hear() {
    for (const auto& e : p.take_events()) {
      ++told;
      CAPTURE(e.task.str(), to_string(e.state), e.attempt);
      const auto known = last.find(e.task);
      if (known == last.end()) {
        REQUIRE((e.state == task_state::scheduled || e.state == task_state::ready));
        REQUIRE(e.attempt == 1);
      } else {
        CAPTURE(to_string(known->second.first), known->second.second);
        const bool changed = e.state == task_state::ready && e.attempt > known->second.second; // by hand: due before and after
        REQUIRE((changed || may_move(known->second.first, e.state)));
        REQUIRE(e.attempt >= known->second.second);
      }
      last[e.task] = {e.state, e.attempt};
    }
  }
  void scan() {
    std::vector<task> all;
    for (const auto& [id, t] : rows) all.push_back(t);
    p.scanned(std::move(all), now);
    p.scan_passed();
  }
  void lose(session_id s) {
    p.session_lost(s);
    std::erase_if(out, [&](const auto& held) { return held.second.first == s; });
    p.close_session(s, 0, now);
    record();
  }
  /// A change by hand: written, refused by the database, or written and the answer lost.
  void edit(const uuid& id) {
    task_edit later;
    later.to.delay = std::chrono::milliseconds(pick(60));
    later.fields = {"delay"};
    const auto d = p.edit_row(rows.at(id), later, now);
    if (d.step != plan::edit_step::settling) return;
    const auto fate = pick(4);
    if (fate == 0) return p.edit_failed(id);
    auto& row = rows.at(id);
    ++row.attempt;
    row.run_at = now + *d.edition.wait;
    if (fate > 1) return p.edited(d.edition, row, now);
    p.edited(d.edition, {}, now);
    if (pick(2)) scan();
    p.met(row, now);
  }
};

} // namespace

TEST_CASE("under storms every transition is told once and follows from the one before") {
  const auto seed = GENERATE(range(1, 21));
  CAPTURE(seed);
  plan_options options;
  options.window_rows = 20;
  options.window_low = 5;
  options.window_most = 2;
  options.line_rows = 8;
  options.line_low = 2;
  options.quarantine_after = 1'000'000;
  options.seed = static_cast<std::uint64_t>(seed);
  telling_storm s(static_cast<std::uint64_t>(seed), options);
  session_id next = 1;
  std::vector<session_id> sessions{s.worker(next++, 20)};
  std::size_t submitted = 0;
  for (int step = 0; step < 600 || !s.rows.empty(); ++step) {
    REQUIRE(step < 20'000);
    s.pass(1ms);
    for (std::size_t n = step < 600 ? s.pick(4) : 0; n > 0; --n, ++submitted) {
      auto t = s.row(s.pick(2) ? "" : "key" + std::to_string(s.pick(5)), "default", s.now - 50ms + std::chrono::milliseconds(s.pick(200)));
      t.retry.initial = t.retry.max = std::chrono::milliseconds(s.pick(30));
      if (s.pick(10)) s.submit(t);
      else s.rows[t.id] = t; // the announce got lost: the scan finds it
    }
    if (!s.pick(7)) s.scan();
    s.refill();
    s.dispatch();
    s.hear();
    if (!s.pick(20) && sessions.size() > 1) {
      s.lose(sessions.front());
      sessions.erase(sessions.begin());
    }
    if (!s.pick(15)) sessions.push_back(s.worker(next++, 10));
    if (!s.pick(10) && !s.rows.empty()) {
      auto any = s.rows.begin();
      std::advance(any, static_cast<std::ptrdiff_t>(s.pick(s.rows.size())));
      if (s.p.cancel_row(any->second).step == plan::cancel_step::settling) s.record();
    }
    if (!s.pick(8) && !s.rows.empty()) {
      auto any = s.rows.begin();
      std::advance(any, static_cast<std::ptrdiff_t>(s.pick(s.rows.size())));
      s.edit(any->first);
    }
    std::vector<uuid> ends;
    for (const auto& [id, held] : s.out)
      if (!s.pick(4)) ends.push_back(id);
    for (const auto& id : ends) s.finish(id, s.pick(4) ? run_outcome::succeeded : s.pick(2) ? run_outcome::failed : run_outcome::returned);
    s.hear();
  }
  CHECK(s.last.size() == submitted);
  for (const auto& [id, state] : s.last) CHECK(finished(state.first));
  CHECK(s.told > 3 * submitted);
  CHECK(s.p.audit() == "");
}
