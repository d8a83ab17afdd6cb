// How fast the plan hands out with a hundred thousand tasks waiting. Not run with the others: actors_tests "[speed]" prints the figures.
#include "tests/actors/plan_fixture.hpp"

#include <ctime>
#include <iostream>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

task speed_row(int n, const std::string& kind, std::int32_t priority, const std::string& key) {
  auto t = make_row(n, at(-200'000 + n), at(-300'000), kind, priority);
  for (int i = 0; i < 4; ++i) t.id.bytes[static_cast<std::size_t>(15 - i)] = static_cast<std::uint8_t>(n >> (8 * i));
  t.concurrency_key = key;
  return t;
}

/// Through refills, hand-outs of what 200 slots take, results and records, until all are done; hand-outs in a second of the plan's time.
double rate_of(std::vector<task> rows, bool listened_to) {
  plan_fixture f;
  f.p.tell(listened_to, at(-400'000));
  std::map<bucket_key, std::vector<task>> buckets;
  for (auto& t : rows) buckets[{t.queue, t.kind, t.priority}].push_back(t);
  std::vector<bucket_key> keys;
  for (auto& [key, list] : buckets) keys.push_back(key);
  f.p.load_buckets(keys);
  for (session_id id = 1; id <= 10; ++id) f.worker(id, 20, {"a", "b", "c"}, "i" + std::to_string(id));
  std::map<bucket_key, std::size_t> next;
  std::clock_t spent = 0; // processor time: the machine may be busy with something else
  const auto timed = [&](auto what) {
    const auto begin = std::clock();
    what();
    spent += std::clock() - begin;
  };
  std::size_t done = 0;
  while (done < rows.size()) {
    std::vector<plan::refill> wanted;
    timed([&] { wanted = f.p.take_refills(4); });
    for (auto& r : wanted) {
      window_page page;
      auto& list = buckets[r.bucket];
      auto& n = next[r.bucket];
      while (n < list.size() && page.tasks.size() < 1'000) page.tasks.push_back(list[n++]);
      page.more = n < list.size();
      timed([&] { f.p.refilled(r, std::move(page), f.now); });
    }
    std::vector<plan::hand_out> out;
    timed([&] {
      while (f.p.dispatch(f.now, plan_fixture::secret, out)) {}
    });
    std::vector<std::pair<session_id, run_result>> results;
    for (auto& h : out)
      for (auto& a : h.tasks) results.emplace_back(h.session, plan_fixture::result_of(a));
    done += results.size();
    timed([&] {
      for (auto& [id, r] : results) {
        f.p.finished(id, r);
        f.p.credit(id, 1);
      }
      f.record();
      f.p.take_events();
    });
    f.pass(std::chrono::milliseconds(20));
  }
  return static_cast<double>(rows.size()) / (static_cast<double>(spent) / CLOCKS_PER_SEC);
}

double best_of(const std::vector<task>& rows, bool listened_to = false) {
  double best = 0;
  for (int i = 0; i < 7; ++i) best = std::max(best, rate_of(rows, listened_to));
  return best;
}

} // namespace

TEST_CASE("hand-outs a second with a hundred thousand waiting", "[.][speed]") {
  std::vector<task> plain, kinds, keyed;
  const std::string names[] = {"a", "b", "c"};
  for (int i = 0; i < 100'000; ++i) {
    plain.push_back(speed_row(i, "a", 0, ""));
    kinds.push_back(speed_row(i, names[i % 3], i / 3 % 10, ""));
    keyed.push_back(speed_row(i, "a", 0, "key" + std::to_string(i % 10'000)));
  }
  std::cout << "one kind:              " << static_cast<long>(best_of(plain)) << "\n";
  std::cout << "events listened to:    " << static_cast<long>(best_of(plain, true)) << "\n";
  std::cout << "3 kinds, 10 priorities: " << static_cast<long>(best_of(kinds)) << "\n";
  std::cout << "10,000 keys:           " << static_cast<long>(best_of(keyed)) << std::endl;
}
