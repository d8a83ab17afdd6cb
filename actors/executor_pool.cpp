#include "actors/executor_pool.hpp"

#include "actors/outcomes.hpp"

namespace taskmaster {

namespace {

using pool_pointer = executor_pool_self::stateful_pointer<executor_pool_state>;

void arm(pool_pointer self) {
  auto& s = self->state;
  if (s.due.empty()) return;
  const auto next = s.due.begin()->first;
  if (s.armed && *s.armed <= next) return;
  s.armed = next;
  const auto now = self->system().clock().now();
  self->delayed_send(self, std::max(next - now, caf::actor_clock::duration_type::zero()), tick_atom::value);
}

void answer(executor_pool_state& s, std::uint64_t run, execution_result result) {
  const auto i = s.runs.find(run);
  if (i == s.runs.end()) return; // answered already, say as cancelled
  if (i->second.due) s.due.erase({*i->second.due, run});
  auto promise = std::move(i->second.answer);
  s.runs.erase(i);
  promise.deliver(std::move(result));
}

caf::result<execution_result> start_builtin(pool_pointer self, const execution& what) {
  auto& s = self->state;
  auto step = builtin_step(what);
  if (what.timeout > duration::zero() && step.wait > what.timeout) step = {what.timeout, timed_out(what.timeout)};
  if (step.wait <= duration::zero()) return std::move(step.result);
  auto promise = self->make_response_promise<execution_result>();
  auto& r = s.runs[what.run];
  r.answer = promise;
  r.due = self->system().clock().now() + step.wait;
  r.result = std::move(step.result);
  s.due.emplace(*r.due, what.run);
  arm(self);
  return promise;
}

caf::result<execution_result> start(pool_pointer self, execution& what) {
  auto& s = self->state;
  const auto run = what.run;
  if (s.runs.count(run))
    return refused_with("refused", "run " + std::to_string(run) + " is under way already; a fault of the worker");
  if (const auto i = s.by_kind.find(what.kind); i != s.by_kind.end()) {
    auto promise = self->make_response_promise<execution_result>();
    s.runs[run] = {promise, i->second, {}, {}};
    const auto pool = executor_pool_self(self);
    const auto by = i->second;
    by->start(std::move(what), [pool, run](execution_result result) {
      caf::anon_send(pool, ended_atom::value, run, std::move(result));
    });
    return promise;
  }
  if (is_builtin(what.kind)) return start_builtin(self, what);
  return refused_with("kind", "this worker does not serve the kind " + what.kind);
}

} // namespace

executor_pool_self::behavior_type executor_pool(pool_pointer self, executors by_kind) {
  self->state.by_kind = std::move(by_kind);
  return {
      [self](run_atom, execution& what) -> caf::result<execution_result> { return start(self, what); },
      [self](cancel_atom, std::uint64_t run) {
        const auto i = self->state.runs.find(run);
        if (i == self->state.runs.end()) return;
        if (i->second.by)
          i->second.by->cancel(run);
        else
          answer(self->state, run, cancelled_run());
      },
      [self](stop_atom) {
        auto& s = self->state;
        std::vector<std::uint64_t> all;
        for (const auto& [run, r] : s.runs) all.push_back(run);
        for (const auto run : all) {
          if (const auto& by = s.runs.at(run).by) by->cancel(run);
          answer(s, run, cancelled_run());
        }
        self->quit();
      },
      [self](ended_atom, std::uint64_t run, execution_result& result) { answer(self->state, run, std::move(result)); },
      [self](tick_atom) {
        auto& s = self->state;
        const auto now = self->system().clock().now();
        while (!s.due.empty() && s.due.begin()->first <= now) {
          const auto run = s.due.begin()->second;
          answer(s, run, std::move(s.runs.at(run).result));
        }
        // A tick that an earlier one overtook comes for nothing, which is harmless.
        if (s.armed && *s.armed <= now) s.armed.reset();
        arm(self);
      },
  };
}

void stop_executors(const executors& all) {
  for (const auto& [kind, one] : all) one->stop();
}

} // namespace taskmaster
