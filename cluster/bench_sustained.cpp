// Submitting and finishing at the same time: a client that submits batches over gRPC as long as fewer than 5,000 tasks are unfinished,
// and a worker that ends them.
#include "cluster/bench_figures.hpp"
#include "cluster/bench_stream.hpp"

#include <cmath>

namespace taskmaster {

using namespace std::chrono_literals;

void measure_sustained(bench& b) {
  const auto time = b.sized(60'000ms, 2'000ms);
  b.world.fresh();
  b.world.start_service();
  b.world.start_worker("worker", 24);
  bench_stream stream(b.world, 5'000);
  stream.run(b.sized(2'000ms, 300ms), [&](double) { b.report.step("to warm up"); });
  const cpu_meter cpu(b);
  const auto done = b.world.recorded();
  const auto rate = stream.run(time, [&](double part) { b.report.step("submit and finish together", part); });
  cpu.tell("sustained", b.world.recorded() - done);
  b.report.values["sustained_per_s"] = std::llround(rate);
  b.report.values["sustained_depth_most"] = stream.deepest();
  b.report.row("sustained_per_s", grouped(rate), ">= 25,000 with everything on two cores", percent(rate / 25'000));
}

void measure_bloat(bench& b) {
  const auto slices = b.sized(8, 2);
  b.world.fresh();
  b.world.start_service();
  b.world.start_worker("worker", 24);
  bench_stream stream(b.world, 5'000);
  stream.run(b.sized(2'000ms, 300ms), [&](double) { b.report.step("to warm up"); });
  // Somebody's report, a dump, a replica with feedback: nothing that died since may be cleaned up.
  postgres::connection holder(b.world.url(), "taskmaster bench: a long snapshot");
  const auto far = std::chrono::steady_clock::now() + 1h;
  if (!holder.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL idle_in_transaction_session_timeout = 0; SELECT count(*) FROM taskmaster.tasks", far))
    throw bench_stop("the long snapshot could not be taken");
  auto lines = answer_json::array();
  const auto slice = b.sized(5'000ms, 500ms);
  double first = 0, last = 0;
  for (int i = 0; i < slices; ++i) {
    last = stream.run(slice, [&](double part) { b.report.step("a snapshot is held open", (i + part) / slices); });
    if (i == 0) first = last;
    lines.push_back({{"s", static_cast<double>(slice.count()) * (i + 1) / 1'000},
                     {"dead_tuples", b.world.number("SELECT coalesce(pg_stat_get_dead_tuples('taskmaster.tasks'::regclass), 0)")},
                     {"per_s", std::llround(last)}});
  }
  b.report.values["bloat"] = lines;
  b.report.row("bloat", grouped(last) + " /s", "a snapshot held for " + std::to_string(slice.count() * slices / 1'000) + " s; of the rate at its start", percent(last / first));
}

} // namespace taskmaster
