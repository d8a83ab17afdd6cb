#include "cluster/bench.hpp"

#include "cluster/bench_figures.hpp"
#include "cluster/log.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <sys/utsname.h>
#include <thread>

namespace taskmaster {
namespace {

struct figure {
  const char* name;
  const char* doing;
  void (*measure)(bench&);
};

constexpr figure figures[] = {
    {"ceiling", "what PostgreSQL alone does", measure_ceiling},
    {"submit_batch_per_s", "tasks in batches, over gRPC and HTTP", measure_submit_batch},
    {"submit_single_per_s", "tasks one by one, over gRPC and HTTP", measure_submit_single},
    {"drain_per_s", "tasks that are due already", measure_drain},
    {"sustained_per_s", "submit and finish together, fewer than 5,000 unfinished", measure_sustained},
    {"start_ms", "from a submit to the task's start", measure_start},
    {"lateness_ms", "from a task's time to its start, with others waiting", measure_lateness},
    {"wal_bytes_per_task", "write-ahead log for a task's whole life", measure_wal},
    {"rss_mb", "memory of each role", measure_rss},
    {"idle", "what it asks and uses when there is nothing to do", measure_idle},
    {"connections", "to the database", measure_connections},
    {"backlog", "draining while millions wait", measure_backlog},
    {"bloat", "a long snapshot keeps dead rows in the way", measure_bloat},
    {"priority", "what the lowest priority waits", measure_priority},
    {"workers", "draining through many sessions", measure_workers},
    {"shell", "tasks that are processes", measure_shell},
};

std::string machine() {
  std::string model = "unknown";
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  return model;
}

answer_json surroundings(bench_world& world) {
  utsname kernel{};
  ::uname(&kernel);
  double memory = 0;
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("MemTotal:")) memory = std::strtod(line.c_str() + 9, nullptr) / 1024;
  return {{"cpu", machine()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_mb", std::llround(memory)},
          {"kernel", kernel.release},
          {"postgresql", world.sql("SHOW server_version").text(0, 0)},
          {"synchronous_commit", world.sql("SHOW synchronous_commit").text(0, 0)},
          {"taskmaster", "0.1.0"}};
}

std::vector<figure> chosen(const bench_settings& s) {
  std::vector<figure> all;
  for (const auto& f : figures)
    if (s.only.empty() || std::find(s.only.begin(), s.only.end(), f.name) != s.only.end()) all.push_back(f);
  return all;
}

} // namespace

void cpu_meter::tell(const std::string& name, double tasks) const {
  auto& out = bench_.report.values["cpu_us_per_task"][name];
  std::string text;
  for (const auto& [role, seconds] : bench_.world.cpu()) {
    const auto was = before_.find(role);
    const auto us = std::round((seconds - (was == before_.end() ? 0 : was->second)) * 1e7 / tasks) / 10;
    out[role] = us;
    if (us > 0) text += (text.empty() ? "" : ", ") + role + " " + out[role].dump();
  }
  bench_.report.row(name + ", microseconds of processor a task", text);
}

void add_bench_command(CLI::App& app, bench_settings& s) {
  auto* c = app.add_subcommand("bench", "measure this build on this machine, beside what PostgreSQL alone can do");
  c->callback([&s] { s.chosen = true; });
  std::vector<std::string> names;
  for (const auto& f : figures) names.emplace_back(f.name);
  c->add_option("--database", s.database, "a PostgreSQL server as a libpq URI, where it makes a database and drops it again; or private, one of its own")
      ->envname("TASKMASTER_BENCH_DATABASE")->capture_default_str();
  c->add_option("--only", s.only, "these figures only, by commas")->envname("TASKMASTER_BENCH_ONLY")->delimiter(',')->check(CLI::IsMember(names));
  c->add_option("--pending", s.pending, "tasks that wait while lateness is measured (default: 1,000,000)")->envname("TASKMASTER_BENCH_PENDING");
  c->add_option("--backlog", s.backlog, "sizes of backlog, by commas (default: 100,000, 1,000,000 and 10,000,000)")->envname("TASKMASTER_BENCH_BACKLOG")->delimiter(',');
  c->add_flag("--quick", s.quick, "everything small and short: to see that it works, not how fast")->envname("TASKMASTER_BENCH_QUICK");
  c->add_flag("--json", s.json, "no table, only the JSON")->envname("TASKMASTER_BENCH_JSON");
}

int run_bench(const bench_settings& settings) {
  watch_for_interrupt();
  set_up_log("text", "err");
  const auto all = chosen(settings);
  bench_report report(all.size());
  auto& values = report.values;
  auto failures = answer_json::array();
  const auto begun = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  try {
    std::cerr << "a database of its own is made" << std::endl;
    bench_world world(settings.database);
    bench b{settings, world, report};
    values["at"] = format_timestamp(begun);
    values["quick"] = settings.quick;
    values["machine"] = surroundings(world);
    values["ceiling"] = nullptr; // its place; it rises while the others are measured
    for (const auto& f : all) {
      report.begin(f.name, f.doing);
      try {
        f.measure(b);
      } catch (const bench_stop& e) {
        report.clear();
        std::cerr << "taskmaster: " << f.name << " could not be measured: " << e.what() << std::endl;
        failures.push_back({{"figure", f.name}, {"why", e.what()}});
        if (interrupted()) break;
      }
    }
    values["ceiling"] = {{"insert_per_s", std::llround(b.insert_ceiling)}, {"finish_per_s", std::llround(b.finish_ceiling)}};
    report.row("ceiling insert_per_s", b.insert_ceiling ? grouped(b.insert_ceiling) : "not measured");
    report.row("ceiling finish_per_s", b.finish_ceiling ? grouped(b.finish_ceiling) : "not measured");
    report.clear();
    std::cerr << "everything is ended and removed" << std::endl;
  } catch (const bench_stop& e) {
    std::cerr << "taskmaster: " << e.what() << std::endl;
    return 1;
  }
  if (!failures.empty()) values["failures"] = failures;
  if (!settings.json) report.print_table(std::cout);
  std::cout << values.dump(-1, ' ', false, answer_json::error_handler_t::replace) << std::endl;
  return failures.empty() ? 0 : 1;
}

} // namespace taskmaster
