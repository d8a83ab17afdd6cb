// Ten thousand keys with limits 1 to 5 under storms of losses, cuts, failures and takeovers: no limit is ever exceeded, nothing stays
// blocked, and what is counted is what is there. The seed makes the storm; a failure names it.
#include "tests/actors/limits_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

struct storm : limits_fixture {
  std::mt19937_64 chance;
  session_id next_session = 1;
  std::vector<session_id> sessions;
  std::map<std::pair<std::string, std::string>, std::size_t> most;
  std::size_t keys, handed = 0, lost = 0;

  storm(std::uint64_t seed, std::size_t key_count, plan_options o) : limits_fixture(o), chance(seed), keys(key_count) {}

  std::size_t pick(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(chance); }
  std::vector<queue_settings> settings() const {
    std::vector<queue_settings> all;
    for (int i = 1; i <= 5; ++i) {
      queue_settings s;
      s.name = "q" + std::to_string(i);
      s.key_concurrency = i;
      if (i == 5) s.concurrency = 40;
      all.push_back(s);
    }
    return all;
  }
  void come(std::int32_t credit) { sessions.push_back(worker(next_session++, credit)); }
  task any_row() {
    const auto key = pick(keys);
    auto t = row("key" + std::to_string(key), "q" + std::to_string(key % 5 + 1), now - std::chrono::microseconds(pick(1'000'000)));
    t.retry.initial = t.retry.max = 10ms;
    return t;
  }

  void check() {
    std::map<std::pair<std::string, std::string>, int> running;
    std::map<std::string, int> in_queue;
    for (const auto& [id, held] : out) {
      const auto& t = rows.at(id);
      ++running[{t.queue, t.concurrency_key}];
      ++in_queue[t.queue];
    }
    for (const auto& [key, n] : running) REQUIRE(n <= key.first[1] - '0');
    REQUIRE(in_queue["q5"] <= 40);
    REQUIRE(p.audit() == "");
  }

  void lose(std::size_t which) {
    const auto s = sessions[which];
    sessions.erase(sessions.begin() + static_cast<std::ptrdiff_t>(which));
    p.session_lost(s);
    dispatch();
    check(); // its tasks are on it still, perhaps
    std::vector<uuid> gone;
    for (const auto& [id, held] : out)
      if (held.first == s) gone.push_back(id);
    lost += gone.size();
    for (const auto& id : gone) out.erase(id);
    p.close_session(s, 0, now);
    record();
  }

  /// Another leader: the workers that are there come back and name what they hold.
  void take_over() {
    term += 10;
    lead(true);
    p.load_settings(settings());
    std::vector<bucket_key> buckets;
    for (int i = 1; i <= 5; ++i) buckets.push_back({"q" + std::to_string(i), "k", 0});
    p.load_buckets(buckets);
    refill();
    const auto old = std::exchange(sessions, {});
    std::map<session_id, session_id> heirs;
    for (const auto s : old)
      if (pick(4)) {
        heirs[s] = next_session;
        come(0);
      }
    std::vector<uuid> gone;
    for (auto& [id, held] : out) {
      const auto heir = heirs.find(held.first);
      if (heir == heirs.end()) {
        gone.push_back(id); // its worker died with the leader
        continue;
      }
      const auto& c = held.second.what.what;
      auto verdict = p.claimed(heir->second, c, now);
      if (verdict == plan::claim_verdict::unknown) verdict = p.claimed_row(heir->second, c, &rows.at(id), now);
      if (verdict == plan::claim_verdict::wait) verdict = p.claimed(heir->second, c, now, true);
      REQUIRE(verdict == plan::claim_verdict::keep);
      held.first = heir->second;
      dispatch();
    }
    check();
    p.end_grace(now);
    // What died is held no more: the plan hands it out again.
    for (const auto& id : gone) out.erase(id);
    record();
    for (const auto s : sessions) p.credit(s, 20);
  }

  void step() {
    pass(1ms);
    refill();
    for (const auto& a : dispatch()) {
      (void)a;
      ++handed;
    }
    check();
    const auto what = pick(100);
    if (what < 2 && sessions.size() > 1) lose(pick(sessions.size()));
    else if (what < 4) come(20);
    else if (what < 5) take_over();
    else if (what < 6) set("q" + std::to_string(pick(4) + 1), [](auto& s) { s.paused = !s.paused; });
    std::vector<uuid> ends;
    for (const auto& [id, held] : out)
      if (!pick(3)) ends.push_back(id);
    for (const auto& id : ends) finish(id, pick(5) ? run_outcome::succeeded : run_outcome::failed);
  }
};

} // namespace

TEST_CASE("under storms of losses and takeovers no key exceeds its limit and none stays blocked") {
  const auto seed = GENERATE(range(1, 21));
  CAPTURE(seed);
  plan_options options;
  options.window_rows = 100;
  options.window_low = 25;
  options.line_rows = 8;
  options.line_low = 2;
  options.quarantine_after = 1'000'000;
  options.seed = static_cast<std::uint64_t>(seed);
  storm s(static_cast<std::uint64_t>(seed), 60, options);
  s.p.load_settings(s.settings());
  for (int i = 0; i < 600; ++i) s.store(s.any_row());
  std::vector<bucket_key> buckets;
  for (int i = 1; i <= 5; ++i) buckets.push_back({"q" + std::to_string(i), "k", 0});
  s.p.load_buckets(buckets);
  for (int i = 0; i < 3; ++i) s.come(20);
  for (int i = 0; i < 300; ++i) {
    for (std::size_t n = s.pick(4); n > 0; --n) s.submit(s.any_row());
    s.step();
  }
  for (int i = 1; i <= 5; ++i) s.set("q" + std::to_string(i), [](auto& q) { q.paused = false; });
  s.come(50);
  int calm = 0;
  while (!s.rows.empty()) {
    REQUIRE(++calm < 2'000); // nothing stays blocked
    s.pass(20ms);
    s.refill();
    s.dispatch();
    s.check();
    const auto ends = s.out;
    for (const auto& [id, held] : ends) s.finish(id);
  }
  CHECK(s.p.count().entries == 0);
}

TEST_CASE("ten thousand keys with limits 1 to 5 run to the end through losses and a takeover") {
  plan_options options;
  options.quarantine_after = 1'000'000;
  storm s(7, 10'000, options);
  s.p.load_settings(s.settings());
  for (int i = 0; i < 5; ++i) s.come(200);
  std::size_t submitted = 0;
  for (int round = 0; round < 40 || !s.rows.empty(); ++round) {
    REQUIRE(round < 4'000);
    if (round < 40)
      for (int i = 0; i < 1'000; ++i, ++submitted) s.submit(s.any_row());
    s.pass(5ms);
    if (round % 8 == 7 && round < 80 && s.sessions.size() > 1) {
      s.lose(0);
      s.come(200);
    }
    if (round == 30) s.take_over();
    s.refill();
    s.dispatch();
    if (round % 4 == 0) s.check();
    const auto ends = s.out;
    for (const auto& [id, held] : ends)
      if (s.pick(4)) s.finish(id);
  }
  CHECK(submitted == 40'000);
  CHECK(s.lost > 0);
  CHECK(s.p.audit() == "");
  CHECK(s.p.count().entries == 0);
}
