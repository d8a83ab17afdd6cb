#include "tests/store/worlds.hpp"

namespace taskmaster::test {

new_task wanted(const std::string& kind) {
  new_task n;
  n.id =
      uuid::make(std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()));
  n.spec.kind = kind;
  return n;
}

task stored(task_store& store, const new_task& what) {
  auto answers = must(store.insert({what}, limit));
  REQUIRE(answers.size() == 1);
  if (answers[0].refused) FAIL(to_string(*answers[0].refused));
  REQUIRE_FALSE(answers[0].repeated);
  return answers[0].task;
}

leader_lease lead(task_store& store, duration ttl) {
  auto lease = must(store.acquire("c1", "127.0.0.1:1", ttl, limit));
  REQUIRE(lease);
  return *lease;
}

namespace {
task_change base(const task& t, fence f, task_change::type what) {
  task_change c;
  c.what = what;
  c.id = t.id;
  c.version = version_of(t);
  c.fence = f;
  c.worker = "w1";
  return c;
}
} // namespace

task_change finish_of(const task& t, fence f, task_state state) {
  auto c = base(t, f, task_change::type::finish);
  c.state = state;
  return c;
}

task_change retry_of(const task& t, fence f, duration wait, bool burned) {
  auto c = base(t, f, task_change::type::retry);
  c.wait = wait;
  c.burned = burned;
  c.reason = burned ? "retry" : "deferred";
  return c;
}

task_change lose_of(const task& t, fence f) {
  auto c = base(t, f, task_change::type::lose);
  c.reason = "lost";
  return c;
}

task_change mark_of(const task& t, fence f) { return base(t, f, task_change::type::mark); }

change_answer change(task_store& store, std::uint64_t term, const task_change& what) {
  auto answer = must(store.record(term, {what}, limit));
  REQUIRE(answer.answers.size() == 1);
  return answer.answers[0];
}

} // namespace taskmaster::test
