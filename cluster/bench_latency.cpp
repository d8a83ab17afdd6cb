// How soon a task starts: after it was submitted, and after it became due. The task itself says when, in the bench's own process.
#include "cluster/bench_figures.hpp"
#include "cluster/bench_load.hpp"
#include "cluster/bench_probe.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

namespace taskmaster {

using namespace std::chrono_literals;

namespace {

double milliseconds_between(std::chrono::system_clock::time_point from, std::chrono::system_clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// How far the database's clock is ahead of ours; nothing worth counting on the same machine.
std::chrono::microseconds clock_ahead(bench_world& world) {
  auto narrowest = std::chrono::microseconds::max(), ahead = 0us;
  for (int i = 0; i < 20; ++i) {
    const auto asked = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const auto said = world.sql("SELECT clock_timestamp()").timestamp(0, 0);
    const auto heard = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    if (heard - asked >= narrowest) continue;
    narrowest = heard - asked;
    ahead = said >= asked && said <= heard ? 0us : said - (asked + narrowest / 2);
  }
  return ahead;
}

} // namespace

void measure_start(bench& b) {
  b.world.fresh();
  b.world.start_service();
  bench_probe probe(b.world.coordinator(), 1, 4);
  grpc_one client(b.world.grpc());
  const int warm = b.sized(100, 10), count = b.sized(3'000, 100);
  std::vector<double> started, answered;
  for (int i = -warm; i < count; ++i) {
    if (i % 100 == 0) b.report.step("one task at a time, from the submit to its first line", static_cast<double>(std::max(i, 0)) / count);
    const auto sent = std::chrono::system_clock::now();
    client.submit("probe", "1", {});
    const auto heard = std::chrono::system_clock::now();
    if (!probe.wait(10s)) throw bench_stop("a task did not start within 10 s");
    const auto starts = probe.take();
    if (i < 0) continue;
    answered.push_back(milliseconds_between(sent, heard));
    started.push_back(milliseconds_between(sent, starts.front().at));
    std::this_thread::sleep_for(1ms); // its outcome is recorded meanwhile, or not
  }
  b.report.values["start_ms"] = percentiles(started);
  b.report.values["submit_ms"] = percentiles(answered);
  const auto& ms = b.report.values["start_ms"];
  b.report.row("start_ms p50 / p99", shown(ms["p50"]) + " / " + shown(ms["p99"]), "<= 1.5 / 6");
}

void measure_lateness(bench& b) {
  const auto pending = b.settings.pending ? b.settings.pending : b.sized<std::size_t>(1'000'000, 10'000);
  const auto count = b.sized<std::size_t>(10'000, 300);
  const auto over = b.sized(10'000ms, 1'000ms);
  b.world.fresh();
  const auto text = grouped(static_cast<double>(pending)) + " others wait";
  b.world.fill(pending, "probe", "now() + interval '1 day' + g * interval '1 millisecond'", 0, [&](double part) { b.report.step(text, part / 2); });
  b.world.settle();
  b.world.start_service();
  bench_probe probe(b.world.coordinator(), 1, 24);
  const auto ahead = clock_ahead(b.world);
  grpc_one client(b.world.grpc());
  const auto first = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()) + 3s + ahead;
  std::vector<timestamp> due;
  for (std::size_t i = 0; i < count; ++i) due.push_back(first + std::chrono::microseconds(over) * static_cast<long>(i) / static_cast<long>(count));
  client.submit_all("probe", due);
  std::vector<double> late;
  std::size_t early = 0;
  const auto give_up = std::chrono::steady_clock::now() + over + 30s;
  while (late.size() < count) {
    go_on();
    if (std::chrono::steady_clock::now() > give_up) throw bench_stop("only " + std::to_string(late.size()) + " of the tasks have started");
    probe.wait(100ms);
    for (const auto& s : probe.take()) {
      const timestamp wanted{duration(std::stoll(s.payload))};
      late.push_back(milliseconds_between(wanted, s.at + ahead));
      early += late.back() < 0;
    }
    b.report.step(grouped(static_cast<double>(count)) + " tasks due over " + std::to_string(over.count() / 1'000) + " s, " + text,
                  0.5 + static_cast<double>(late.size()) / static_cast<double>(count) / 2);
  }
  b.report.values["lateness_ms"] = percentiles(late);
  b.report.values["early"] = early;
  b.report.values["pending"] = pending;
  // For a plot: how many were late by at most so much.
  auto shape = answer_json::array();
  std::sort(late.begin(), late.end());
  for (int i = 0; i <= 1'000; ++i) {
    const auto at = std::min(late.size() - 1, late.size() * static_cast<std::size_t>(i) / 1'000);
    shape.push_back(std::round(late[at] * 1'000) / 1'000);
  }
  if (!b.settings.quick) b.report.values["lateness_permille_ms"] = shape;
  const auto& ms = b.report.values["lateness_ms"];
  b.report.row("lateness_ms p50 / p99 / p99.9", shown(ms["p50"]) + " / " + shown(ms["p99"]) + " / " + shown(ms["p999"]), "<= 1 / 5 / 20",
               "at most " + shown(ms["max"]));
  b.report.row("early", std::to_string(early), "0");
}

} // namespace taskmaster
