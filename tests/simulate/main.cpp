// simulate --seed N [--trace] | --seeds COUNT [--from N] [--twice]
// Runs a whole cluster in virtual time, once for each seed, and checks what was promised. Exit 0: nothing was broken.
#include "tests/simulate/run.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <spdlog/spdlog.h>

using namespace taskmaster;
using namespace taskmaster::simulate;

namespace {

void print(const event_line& line) {
  std::printf("  %14s  %s%s\n", since_start(line.when).c_str(), line.task.nil() ? "" : (line.task.str().substr(24) + "  ").c_str(), line.text.c_str());
}

/// What happened to the guilty task, and to the cluster around it.
void tell(const verdict& v, bool whole) {
  std::printf("seed %llu: %s: task %s: %s\n", static_cast<unsigned long long>(v.seed), std::string(to_string(v.first->what)).c_str(),
              v.first->task.str().c_str(), v.first->sentence.c_str());
  if (!whole) return;
  for (const auto& line : v.story)
    if (line.task == v.first->task || line.task.nil()) print(line);
  std::printf("again: simulate --seed %llu --trace\n", static_cast<unsigned long long>(v.seed));
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app("Simulates a cluster from a seed and checks what it promises.");
  std::uint64_t seed = 0, count = 0, from = 1;
  bool trace = false, log = false, twice = false, until_broken = false;
  auto* one = app.add_option("--seed", seed, "this seed alone");
  app.add_option("--seeds", count, "so many seeds")->excludes(one);
  app.add_option("--from", from, "the first of them")->capture_default_str();
  app.add_flag("--trace", trace, "print everything that happens");
  app.add_flag("--log", log, "print what the actors log, too");
  app.add_flag("--twice", twice, "run each seed twice and compare the hashes of what happened");
  app.add_flag("--until-broken", until_broken, "stop at the first seed that breaks something, and say which in one line");
  CLI11_PARSE(app, argc, argv);
  if (!*one && count == 0) {
    std::fprintf(stderr, "%s", app.help().c_str());
    return 2;
  }
  spdlog::set_level(log ? spdlog::level::info : spdlog::level::off);
  if (*one) from = seed, count = 1;

  std::size_t tasks = 0, faults = 0, differ = 0, children = 0, edits = 0, instants = 0;
  std::array<std::size_t, static_cast<std::size_t>(broken::count_)> counts{};
  std::size_t bad = 0;
  for (auto s = from; s < from + count; ++s) {
    const auto v = run(s);
    tasks += v.tasks;
    faults += v.faults;
    children += v.children;
    edits += v.edits;
    instants += v.instants;
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += v.counts[i];
    if (until_broken && v.first) {
      std::printf("caught: seed %llu after %llu seeds, %s\n", static_cast<unsigned long long>(s), static_cast<unsigned long long>(s - from + 1),
                  std::string(to_string(v.first->what)).c_str());
      return 1;
    }
    if (trace)
      for (const auto& line : v.story) print(line);
    if (v.first) tell(v, ++bad <= 3); // three stories are enough to read
    if (*one) std::printf("hash=%016llx steps=%zu\n", static_cast<unsigned long long>(v.hash), v.steps);
    if (!twice) continue;
    const auto again = run(s);
    if (again.hash == v.hash) continue;
    ++differ;
    std::printf("seed %llu is not the same twice: hash %016llx, then %016llx\n", static_cast<unsigned long long>(s),
                static_cast<unsigned long long>(v.hash), static_cast<unsigned long long>(again.hash));
  }
  const auto n = [&](broken b) { return counts[static_cast<std::size_t>(b)]; };
  std::printf("also: at_most_once=%zu cancelled_ran=%zu rerun=%zu two_leaders=%zu forgotten=%zu unrecorded=%zu stale_start=%zu graph=%zu schedule=%zu mistold=%zu; graphs=%zu edits=%zu instants=%zu\n", n(broken::at_most_once), n(broken::cancelled_ran),
              n(broken::rerun), n(broken::two_leaders), n(broken::forgotten), n(broken::unrecorded), n(broken::stale_start), n(broken::graph), n(broken::schedule), n(broken::mistold), children, edits, instants);
  std::printf("seeds=%llu tasks=%zu faults=%zu lost=%zu recorded_twice=%zu stale_applied=%zu early=%zu over_credit=%zu over_limit=%zu stuck=%zu\n",
              static_cast<unsigned long long>(count), tasks, faults, n(broken::lost), n(broken::recorded_twice), n(broken::stale_applied),
              n(broken::early), n(broken::over_credit), n(broken::over_limit), n(broken::stuck));
  return bad || differ ? 1 : 0;
}
