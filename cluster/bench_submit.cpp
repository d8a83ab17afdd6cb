// Submitting: tasks that are due in an hour, so that nothing else happens with them but what happens with every task: they are judged,
// stored, answered after the commit, announced.
#include "cluster/bench_figures.hpp"
#include "cluster/bench_load.hpp"

#include <cmath>
#include <functional>

namespace taskmaster {
namespace {

constexpr auto task_text = R"({"kind":"noop","payload":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","delay":"1h"})";

/// Runs of one way to submit, each on a fresh database after a moment to warm up, with a ceiling measured before each.
struct series {
  std::vector<double> per_s;
  std::vector<double> milliseconds; // of the best run
};
series measure(bench& b, const std::string& what, double tasks_each, const std::function<load_result(std::chrono::milliseconds)>& load) {
  using namespace std::chrono_literals;
  series out;
  const int runs = b.sized(3, 1);
  for (int i = 0; i < runs; ++i) {
    b.report.step(what, static_cast<double>(i) / runs);
    raw_insert(b);
    b.world.fresh();
    b.world.start_service();
    load(b.sized(1'000ms, 200ms));
    const cpu_meter cpu(b);
    auto r = load(b.sized(4'000ms, 500ms));
    if (i + 1 == runs) cpu.tell("submit " + what, static_cast<double>(r.milliseconds.size()) * tasks_each);
    if (r.failed) throw bench_stop(std::to_string(r.failed) + " of the submits failed");
    if (out.per_s.empty() || r.per_s * tasks_each > best(out.per_s)) out.milliseconds = std::move(r.milliseconds);
    out.per_s.push_back(r.per_s * tasks_each);
  }
  return out;
}

void tell(bench& b, const char* figure, const char* way, const series& s, double target, bool of_ceiling) {
  b.report.values[figure][way] = std::llround(best(s.per_s));
  b.report.values[std::string(figure) + "_runs"][way] = rounded(s.per_s);
  b.report.values[std::string(figure) + "_ms"][way] = percentiles(s.milliseconds);
  const auto text = std::string(figure) + " " + way;
  if (of_ceiling)
    b.report.row(text, grouped(best(s.per_s)), ">= " + percent(target) + " of the insert ceiling", percent(best(s.per_s) / b.insert_ceiling));
  else
    b.report.row(text, grouped(best(s.per_s)), ">= " + grouped(target), percent(best(s.per_s) / target));
}

} // namespace

void measure_submit_batch(bench& b) {
  const auto grpc = measure(b, "gRPC, 4 calls of 1,000 tasks under way", 1'000,
                            [&](auto time) { return grpc_batch_load(b.world.grpc(), 4, time); });
  std::string body = R"({"tasks":[)";
  for (int i = 0; i < 1'000; ++i) body += (i ? "," : "") + std::string(task_text);
  body += "]}";
  const auto http = measure(b, "HTTP, 4 requests of 1,000 tasks under way", 1'000,
                            [&](auto time) { return http_load(b.world.http(), "/v1/tasks/batch", body, 4, time); });
  tell(b, "submit_batch_per_s", "grpc", grpc, 0.7, true);
  tell(b, "submit_batch_per_s", "http", http, 0.7, true);
}

void measure_submit_single(bench& b) {
  const auto grpc = measure(b, "gRPC, 64 calls under way", 1, [&](auto time) { return grpc_single_load(b.world.grpc(), 64, time); });
  const auto http = measure(b, "HTTP, 64 connections", 1, [&](auto time) { return http_load(b.world.http(), "/v1/tasks", task_text, 64, time); });
  tell(b, "submit_single_per_s", "grpc", grpc, 15'000, false);
  tell(b, "submit_single_per_s", "http", http, 12'000, false);
}

} // namespace taskmaster
