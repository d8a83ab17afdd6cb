// Many of something: tasks that wait, sessions, priorities, processes.
#include "cluster/bench_figures.hpp"
#include "cluster/bench_probe.hpp"

#include <algorithm>
#include <cmath>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>

extern char** environ;

namespace taskmaster {

using namespace std::chrono_literals;

namespace {

/// Finished a second, by the database's times.
double rate_of_history(bench& b) {
  const auto r = b.world.sql("SELECT count(*)::float8, extract(epoch FROM max(finished_at) - min(picked_at))::float8 FROM taskmaster.task_history");
  return r.float8(0, 0) / r.float8(0, 1);
}

/// How fast one thread starts and reaps processes, one after the other.
double spawns_per_s(std::chrono::milliseconds time) {
  const char* words[] = {"/bin/true", nullptr};
  const auto begun = std::chrono::steady_clock::now();
  int count = 0;
  while (std::chrono::steady_clock::now() - begun < time) {
    pid_t child = -1;
    if (::posix_spawn(&child, words[0], nullptr, nullptr, const_cast<char**>(words), environ) != 0) throw bench_stop("posix_spawn fails");
    ::waitpid(child, nullptr, 0);
    ++count;
  }
  return count / std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

} // namespace

void measure_backlog(bench& b) {
  auto sizes = b.settings.backlog;
  if (sizes.empty()) sizes = b.settings.quick ? std::vector<std::size_t>{5'000, 20'000} : std::vector<std::size_t>{100'000, 1'000'000, 10'000'000};
  const auto tasks = b.sized(100'000.0, 2'000.0);
  auto lines = answer_json::array();
  double first = 0, rate = 0;
  for (const auto size : sizes) {
    const auto text = grouped(static_cast<double>(size)) + " tasks wait";
    b.world.fresh();
    b.world.fill(size, "noop", "now() - interval '1 hour' + g * interval '1 microsecond'", 0, [&](double part) { b.report.step(text + ", being filled in", part); });
    b.world.settle();
    b.world.start_service();
    b.world.start_worker("worker", 24);
    b.world.wait_recorded(std::min(tasks, static_cast<double>(size)), [&](double part) { b.report.step(text, part); });
    const auto memory = rss_mb(b.world.pid("coordinator"));
    b.world.end_roles();
    rate = rate_of_history(b);
    if (first == 0) first = rate;
    lines.push_back({{"waiting", size}, {"drain_per_s", std::llround(rate)}, {"coordinator_rss_mb", std::llround(memory)}});
    b.report.row("backlog of " + grouped(static_cast<double>(size)), grouped(rate) + " /s", size == sizes.front() ? "" : ">= 90 % of the smallest's",
                 percent(rate / first) + ", coordinator " + grouped(memory) + " MB (<= 200)");
  }
  b.report.values["backlog"] = lines;
}

void measure_workers(bench& b) {
  const auto tasks = b.sized<std::size_t>(100'000, 2'000);
  auto lines = answer_json::array();
  for (const std::size_t sessions : b.settings.quick ? std::vector<std::size_t>{1, 10} : std::vector<std::size_t>{1, 10, 100, 1'000}) {
    b.world.fresh();
    b.world.fill(tasks, "noop", "now() - interval '1 hour' + g * interval '1 microsecond'");
    b.world.start_service();
    {
      bench_probe workers(b.world.coordinator(), sessions, static_cast<int>(std::max<std::size_t>(1, 24 / sessions)));
      b.world.wait_recorded(static_cast<double>(tasks), [&](double part) { b.report.step(std::to_string(sessions) + " sessions", part); });
    }
    const auto rate = rate_of_history(b);
    lines.push_back({{"sessions", sessions}, {"drain_per_s", std::llround(rate)}});
    b.report.row(std::to_string(sessions) + " sessions", grouped(rate) + " /s");
  }
  b.report.values["workers"] = lines;
}

void measure_priority(bench& b) {
  // Tasks of 10 ms keep 24 slots busy with the highest priority: they come due a little faster than 24 slots take them, so that there are always
  // some. (Due all at once, they would all have been due longer than the lowest, which then waited for the last of them.)
  const auto busy = b.sized<std::size_t>(220'000, 3'000);
  const int few = b.sized(200, 20);
  b.world.fresh();
  b.world.fill(busy, "sleep", "now() - interval '1 second' + g * interval '380 microseconds'", 9);
  b.world.sql(R"(UPDATE taskmaster.tasks SET payload = '{"for": "10ms"}')");
  b.world.fill(static_cast<std::size_t>(few), "noop", "now()");
  b.world.start_service();
  b.world.start_worker("worker", 24, 0); // what is prefetched has left the order of priorities
  const auto ended = [&] { return b.world.number("SELECT count(*) FROM taskmaster.task_history WHERE priority = 0"); };
  const auto until = std::chrono::steady_clock::now() + 3min;
  for (std::int64_t n = 0; (n = ended()) < few; std::this_thread::sleep_for(500ms)) {
    if (std::chrono::steady_clock::now() > until) throw bench_stop("the lowest priority starved for three minutes");
    b.report.step("priority 9 fills the slots, 0 waits", static_cast<double>(n) / few);
  }
  const auto r = b.world.sql("SELECT extract(epoch FROM picked_at - created_at)::float8 FROM taskmaster.task_history WHERE priority = 0");
  std::vector<double> waits;
  for (int i = 0; i < r.count(); ++i) waits.push_back(r.float8(i, 0));
  b.report.values["priority"] = {{"lowest_wait_s", percentiles(waits)}, {"highest_left", b.world.number("SELECT count(*) FROM taskmaster.tasks WHERE priority = 9")}};
  b.report.row("priority: the lowest waits, s, p50 / max", shown(b.report.values["priority"]["lowest_wait_s"]["p50"]) + " / " +
                                                               shown(b.report.values["priority"]["lowest_wait_s"]["max"]));
}

void measure_shell(bench& b) {
  const auto tasks = b.sized<std::size_t>(4'000, 200);
  std::vector<double> ours, alone;
  for (int i = 0, last = b.sized(3, 1); i < last; ++i) {
    alone.push_back(spawns_per_s(b.sized(2'000ms, 200ms)));
    b.world.fresh();
    b.world.fill(tasks, "shell", "now() - interval '1 hour' + g * interval '1 microsecond'");
    b.world.sql(R"(UPDATE taskmaster.tasks SET payload = '{"argv": ["/bin/true"]}')");
    b.world.start_service();
    b.world.start_worker("worker", 4);
    b.world.wait_recorded(static_cast<double>(tasks), [&](double part) { b.report.step("processes", part); });
    ours.push_back(rate_of_history(b));
  }
  b.report.values["shell"] = {{"per_s", std::llround(best(ours))}, {"spawns_per_s", std::llround(best(alone))}};
  b.report.row("shell tasks of /bin/true", grouped(best(ours)) + " /s", ">= 80 % of one thread with posix_spawn (" + grouped(best(alone)) + " /s)",
               percent(best(ours) / best(alone)));
}

} // namespace taskmaster
