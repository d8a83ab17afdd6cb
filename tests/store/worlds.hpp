// What a conformance case runs on: a fresh database per case, on memory or on a PostgreSQL of its own. Each
// case is written once (TEMPLATE_TEST_CASE over both worlds), so that a surprise of one becomes a rule of the
// other.
#pragma once
#include "schema/memory_store.hpp"
#include "schema/store.hpp"
#include "tests/catch.hpp"

#include <string>

namespace taskmaster::test {

using namespace std::chrono_literals;

/// Ample for a loaded machine; no case waits for it.
constexpr auto limit = std::chrono::milliseconds(20'000);

/// Time is the test's.
class memory_world {
public:
  std::unique_ptr<task_store> connect() { return make_memory_store(database_); }
  /// Makes the database's clock later by at least d.
  void pass(duration d) { *now_ += d; }

private:
  std::shared_ptr<timestamp> now_ =
      std::make_shared<timestamp>(std::chrono::sys_days{std::chrono::year{2026} / 3 / 4} + 5h);
  std::shared_ptr<memory_database> database_ = make_memory_database([now = now_] { return *now; });
};

/// Time is the server's.
class postgres_world {
public:
  postgres_world();
  std::unique_ptr<task_store> connect();
  void pass(duration d);
  const std::string& url() const { return url_; }
  /// Runs SQL beside the stores and gives the first column of the first row.
  std::string sql(const std::string& text);

private:
  std::string url_;
};

/// The value, or a failed test that shows the error.
template <class T>
T must(expected<T> answer) {
  if (!answer) FAIL(to_string(answer.failure()));
  return std::move(*answer);
}

new_task wanted(const std::string& kind = "noop");
/// Stored by itself, as it then is.
task stored(task_store& store, const new_task& what);
/// A first term.
leader_lease lead(task_store& store, duration ttl = 1h);
/// A finish of the task as it is, by fence (term, sequence).
task_change finish_of(const task& t, fence f, task_state state = task_state::succeeded);
task_change retry_of(const task& t, fence f, duration wait = 0s, bool burned = true);
task_change lose_of(const task& t, fence f);
task_change mark_of(const task& t, fence f);
change_answer change(task_store& store, std::uint64_t term, const task_change& what);

} // namespace taskmaster::test

#define STORE_CASE(name)                                                                                     \
  TEMPLATE_TEST_CASE(name, "[store]", taskmaster::test::memory_world, taskmaster::test::postgres_world)
