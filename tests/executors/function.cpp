// Functions of the program as tasks, and the threads beneath.
#include "actors/function_executor.hpp"

#include "actors/outcomes.hpp"
#include "tests/executors/awaited.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

TEST_CASE("a function gets the execution and its result is the run's") {
  function_executor executor([](const execution& e, std::stop_token) { return succeeded_with(*e.payload + e.fence); }, 2);
  const auto r = run_to_end(executor, an_execution("custom", "7"));
  CHECK(r.outcome == run_outcome::succeeded);
  CHECK(r.result == "7001764000000000-000000000012");
}

TEST_CASE("a function that throws has failed") {
  function_executor executor(
      [](const execution& e, std::stop_token) -> execution_result {
        if (e.run == 1) throw std::runtime_error("the disk is on fire");
        throw 7;
      },
      1);
  const auto r = run_to_end(executor, an_execution("custom", "null", 1));
  CHECK(r.outcome == run_outcome::failed);
  CHECK(code_of(r) == "exception");
  CHECK(message_of(r) == "the disk is on fire");
  CHECK(code_of(run_to_end(executor, an_execution("custom", "null", 2))) == "exception");
}

namespace {

// Runs until it is asked to stop.
execution_result obedient(const execution&, std::stop_token stop) {
  while (!stop.stop_requested()) std::this_thread::yield();
  return failed_with("half", "half done");
}

} // namespace

TEST_CASE("a function is told of cancel and timeout, and its outcome says which") {
  function_executor executor(obedient, 2);
  awaited_result cancelled;
  executor.start(an_execution("custom", "null", 1), cancelled.callback());
  executor.cancel(1);
  CHECK(cancelled.get().outcome == run_outcome::cancelled);
  auto what = an_execution("custom", "null", 2);
  what.timeout = 20ms;
  CHECK(run_to_end(executor, what).outcome == run_outcome::timeout);
}

TEST_CASE("a function that finished before it noticed has succeeded") {
  std::atomic<bool> running = false, go = false;
  function_executor executor(
      [&](const execution&, std::stop_token) {
        running = true;
        while (!go) std::this_thread::yield();
        return succeeded_with("1");
      },
      1);
  awaited_result result;
  executor.start(an_execution("custom", "null", 1), result.callback());
  REQUIRE(eventually([&] { return running.load(); }));
  executor.cancel(1);
  go = true;
  CHECK(result.get().outcome == run_outcome::succeeded);
}

TEST_CASE("no more functions run at once than there are threads, and the others wait their turn") {
  std::atomic<int> now = 0, most = 0;
  function_executor executor(
      [&](const execution&, std::stop_token) {
        const int mine = ++now;
        for (int seen = most; mine > seen && !most.compare_exchange_weak(seen, mine);) {}
        std::this_thread::sleep_for(1ms);
        --now;
        return execution_result{};
      },
      3);
  std::vector<awaited_result> results(60);
  for (std::size_t i = 0; i < results.size(); ++i)
    executor.start(an_execution("custom", "null", i + 1), results[i].callback());
  for (auto& r : results) CHECK(r.get().outcome == run_outcome::succeeded);
  CHECK(most <= 3);
}

TEST_CASE("a run that still queues is cancelled or times out without beginning") {
  std::atomic<int> begun = 0;
  function_executor executor(
      [&](const execution& e, std::stop_token stop) {
        ++begun;
        return obedient(e, stop);
      },
      1);
  std::vector<awaited_result> results(4);
  for (std::size_t i = 0; i < 3; ++i)
    executor.start(an_execution("custom", "null", i + 1), results[i].callback());
  auto hasty = an_execution("custom", "null", 4);
  hasty.timeout = 1ms;
  executor.start(hasty, results[3].callback());
  CHECK(results[3].get().outcome == run_outcome::timeout);
  executor.cancel(2);
  CHECK(results[1].get().outcome == run_outcome::cancelled);
  REQUIRE(eventually([&] { return begun == 1; }));
  executor.stop();
  CHECK(begun == 1);
  for (const auto& r : results) CHECK(r.times() == 1);
  CHECK(results[0].get().outcome == run_outcome::cancelled);
  CHECK(results[2].get().outcome == run_outcome::cancelled);
  CHECK(run_to_end(executor, an_execution("custom", "null")).outcome == run_outcome::cancelled);
}
