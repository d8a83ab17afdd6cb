// Starts a run and waits for its result, from the main thread (Catch2 asserts on that one alone). A run that never ends fails the test.
#pragma once
#include "actors/executor.hpp"
#include "tests/catch.hpp"

#include <nlohmann/json.hpp>

#include <sys/types.h>

#include <atomic>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

namespace taskmaster::test {

constexpr auto patience = std::chrono::seconds(60);

inline execution an_execution(std::string kind, std::string payload, std::uint64_t run = 1) {
  execution e;
  e.run = run;
  e.kind = std::move(kind);
  e.payload = std::make_shared<const std::string>(std::move(payload));
  e.fence = "001764000000000-000000000012";
  return e;
}

/// A result that is still to come; keeps count of how often it came.
class awaited_result {
public:
  executor::done_callback callback() {
    return [state = state_](execution_result r) {
      if (state->times++ == 0) state->promise.set_value(std::move(r));
    };
  }
  execution_result get() {
    REQUIRE(future_.wait_for(patience) == std::future_status::ready);
    return future_.get();
  }
  int times() const { return state_->times; }

private:
  struct shared {
    std::promise<execution_result> promise;
    std::atomic<int> times{0};
  };
  std::shared_ptr<shared> state_ = std::make_shared<shared>();
  std::future<execution_result> future_ = state_->promise.get_future();
};

inline execution_result run_to_end(executor& by, execution what) {
  awaited_result result;
  by.start(std::move(what), result.callback());
  return result.get();
}

/// Polls, since processes of others tell us nothing.
template <class Condition>
bool eventually(Condition condition) {
  for (const auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// A zombie answers to kill(pid, 0) until init reaps it, so look closer.
inline bool alive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const auto end = text.str().rfind(") ");
  return end != std::string::npos && text.str()[end + 2] != 'Z';
}

inline std::string code_of(const execution_result& r) { return r.failure ? r.failure->code : ""; }
inline std::string message_of(const execution_result& r) { return r.failure ? r.failure->message : ""; }
inline nlohmann::json json_of(const execution_result& r) { return nlohmann::json::parse(r.result); }

} // namespace taskmaster::test

// What a failed CHECK prints.
namespace Catch {
template <>
struct StringMaker<taskmaster::run_outcome> {
  static std::string convert(taskmaster::run_outcome o) {
    constexpr const char* names[] = {"?", "succeeded", "failed", "refused", "deferred", "cancelled", "timeout", "returned"};
    return names[static_cast<std::size_t>(o) % 8];
  }
};
} // namespace Catch
