// What it takes of the machine: write-ahead log, memory, queries when there is nothing to do, connections.
#include "cluster/bench_figures.hpp"
#include "cluster/bench_stream.hpp"

#include <cmath>
#include <thread>

namespace taskmaster {

using namespace std::chrono_literals;

void measure_wal(bench& b) {
  b.world.fresh();
  b.world.start_service();
  b.world.start_worker("worker", 24);
  bench_stream stream(b.world, 5'000);
  stream.run(b.sized(1'000ms, 200ms), [&](double) { b.report.step("to warm up"); });
  const auto done = b.world.recorded();
  const auto log = [&] { return b.world.number("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"); };
  const auto before = log();
  stream.run(b.sized(10'000ms, 500ms), [&](double part) { b.report.step("submit and finish together", part); });
  const auto bytes = static_cast<double>(log() - before) / (b.world.recorded() - done);
  b.report.values["wal_bytes_per_task"] = std::llround(bytes);
  b.report.row("wal_bytes_per_task", grouped(bytes), "<= 900", percent(bytes / 900));
}

void measure_rss(bench& b) {
  b.world.fresh();
  b.world.start_service();
  b.world.start_worker("worker", 24);
  std::this_thread::sleep_for(2s);
  const auto idle_worker = rss_mb(b.world.pid("worker"));
  bench_stream stream(b.world, 5'000);
  stream.run(b.sized(10'000ms, 500ms), [&](double part) { b.report.step("submit and finish together", part); });
  auto& rss = b.report.values["rss_mb"];
  for (const auto* role : {"scheduler", "coordinator", "worker"}) rss[role] = std::llround(rss_mb(b.world.pid(role)));
  rss["worker_idle"] = std::llround(idle_worker);
  b.report.row("rss_mb scheduler / coordinator / worker", shown(rss["scheduler"]) + " / " + shown(rss["coordinator"]) + " / " + shown(rss["worker"]));
  b.report.row("rss_mb of a worker that has run nothing", shown(rss["worker_idle"]), "<= 30", percent(idle_worker / 30));
}

void measure_idle(bench& b) {
  const auto time = b.sized(60'000ms, 3'000ms); // a minute, since autovacuum's queries come once in one
  auto& out = b.report.values["idle"];
  for (const bool one : {true, false}) {
    b.world.fresh();
    if (one) b.world.start_everything_in_one();
    else b.world.start_service(), b.world.start_worker("worker", 24);
    std::this_thread::sleep_for(b.sized(5'000ms, 1'500ms)); // housekeeping at the start is not idling
    const auto pids = one ? std::vector<pid_t>{b.world.pid("up")}
                          : std::vector<pid_t>{b.world.pid("scheduler"), b.world.pid("coordinator"), b.world.pid("worker")};
    const auto cpu = [&] {
      double sum = 0;
      for (const auto p : pids) sum += cpu_seconds(p);
      return sum;
    };
    // One transaction is one query here; ours, one each time, is taken off.
    const auto queries = [&] {
      return b.world.number("SELECT sum(xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = current_database()");
    };
    const auto asked = queries();
    const auto used = cpu();
    const auto begun = std::chrono::steady_clock::now();
    for (auto now = begun; now < begun + time; now = std::chrono::steady_clock::now()) {
      go_on();
      std::this_thread::sleep_for(100ms);
      b.report.step(one ? "`up` with nothing to do" : "the roles with nothing to do", std::chrono::duration<double>(now - begun) / time);
    }
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const auto cores = (cpu() - used) / seconds;
    const auto rate = static_cast<double>(queries() - asked - 1) / seconds;
    const auto two = [](double x) { return std::round(x * 100) / 100; };
    if (one) {
      out["queries_per_s"] = two(rate);
      out["cpu_percent"] = two(cores * 100);
      b.report.row("idle queries_per_s of `up`", shown(out["queries_per_s"]), "<= 5");
      b.report.row("idle cpu_percent of `up`", shown(out["cpu_percent"]), "<= 1");
    } else {
      out["roles"] = {{"queries_per_s", two(rate)}, {"cpu_percent", two(cores * 100)}};
      b.report.row("idle queries_per_s, cpu_percent of the roles", shown(out["roles"]["queries_per_s"]) + ", " + shown(out["roles"]["cpu_percent"]));
    }
  }
}

void measure_connections(bench& b) {
  b.world.fresh();
  b.world.start_service();
  for (int i = 0; i < 3; ++i) b.world.start_worker("worker-" + std::to_string(i), 8);
  bench_stream stream(b.world, 5'000);
  stream.run(b.sized(2'000ms, 500ms), [&](double part) { b.report.step("three workers", part); });
  const auto count = b.world.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'taskmaster %' "
                                    "AND application_name <> 'taskmaster bench'");
  b.report.values["connections"] = count;
  b.report.row("connections of scheduler, coordinator, 3 workers", std::to_string(count), "<= 12");
}

} // namespace taskmaster
