#include "tests/simulate/script_pool.hpp"

namespace taskmaster::simulate {
namespace {

struct pool_state {
  pool_state() = default;
  static inline const char* name = "script-pool";
  world* all = nullptr;
  books* told = nullptr;
  std::shared_ptr<part> home;
  std::shared_ptr<const script> how;
  std::string worker;
  std::size_t slots = 0;
  std::map<std::uint64_t, caf::typed_response_promise<execution_result>> runs;
};

using self_ptr = script_pool_actor::stateful_pointer<pool_state>;

execution_result outcome(pool_state& s, const execution& what) {
  execution_result r;
  r.result = R"({"fence":")" + what.fence + "\"}"; // an outcome names the run that it is of
  auto luck = s.how->calm ? 100 : s.all->dice.between(0, 99);
  const auto falls = [&](std::int64_t share) {
    luck -= share;
    return luck < 0;
  };
  if (falls(s.how->fails)) r.outcome = run_outcome::failed;
  else if (falls(s.how->defers)) r.outcome = run_outcome::deferred;
  else if (falls(s.how->refuses)) r.outcome = run_outcome::refused;
  else if (falls(s.how->times_out)) r.outcome = run_outcome::timeout;
  if (r.outcome == run_outcome::deferred && s.all->dice.one_in(2)) r.retry_after = s.all->dice.between(milliseconds(1), milliseconds(900));
  if (r.outcome != run_outcome::succeeded) r.failure = task_error{"exit", "exit status 1"};
  return r;
}

void end(self_ptr self, std::uint64_t run, execution_result result, duration after) {
  auto& s = self->state;
  s.all->after(after, [me = script_pool_actor(self), home = s.home, run, result = std::move(result)] {
    if (!home->dead) caf::anon_send(me, script_end{run, result});
  });
}

/// It says how far it is, somewhere on its way.
void report(self_ptr self, const execution& what, duration length) {
  auto& s = self->state;
  const auto checkpoint = std::make_shared<const std::string>("\"" + what.fence + "\"");
  s.all->after(s.all->dice.between(duration(1), length), [me = script_pool_actor(self), home = s.home, run = what.run, say = what.report, checkpoint] {
    if (!home->dead && say) say({R"({"percent":50})", checkpoint});
  });
}

script_pool_actor::behavior_type pool(self_ptr self, world* w, books* b, std::shared_ptr<part> home, std::shared_ptr<const script> how,
                                      std::string worker, std::size_t slots) {
  auto& s = self->state;
  s.all = w;
  s.told = b;
  s.home = std::move(home);
  s.how = std::move(how);
  s.worker = std::move(worker);
  s.slots = slots;
  return {
      [self](run_atom, execution& what) -> caf::result<execution_result> {
        auto& s = self->state;
        auto promise = self->make_response_promise<execution_result>();
        if (s.home->dead) return promise; // only its mailbox is being emptied
        s.runs[what.run] = promise;
        s.told->started(s.worker, what, s.runs.size(), s.slots);
        const auto length = s.how->calm ? duration(milliseconds(1)) : s.all->dice.one_in(20) ? s.all->dice.between(milliseconds(500), milliseconds(10'000)) : s.all->dice.tailed(s.how->typical);
        const bool hangs = !s.how->calm && what.payload->find("hangs") != std::string::npos && s.all->dice.one_in(2);
        if (!hangs) end(self, what.run, outcome(s, what), length);
        if (!hangs && !s.how->calm && s.all->dice.one_in(4)) report(self, what, length);
        return promise;
      },
      [self](cancel_atom, std::uint64_t run) {
        auto& s = self->state;
        if (!s.runs.contains(run) || s.home->dead) return;
        execution_result r;
        r.outcome = run_outcome::cancelled;
        r.failure = task_error{"cancelled", "stopped"};
        // Some heed no signal: they end when they are killed.
        end(self, run, std::move(r), s.all->dice.one_in(5) ? duration(seconds(15)) : s.all->dice.between(duration(microseconds(100)), duration(milliseconds(200))));
      },
      [self](stop_atom) { self->quit(); },
      [self](script_end& e) {
        auto& s = self->state;
        const auto it = s.runs.find(e.run);
        if (it == s.runs.end()) return; // ended already
        auto promise = std::move(it->second);
        s.runs.erase(it);
        promise.deliver(std::move(e.result));
      },
  };
}

} // namespace

executor_pool_actor script_pool(world& w, books& b, const std::shared_ptr<part>& home, std::shared_ptr<const script> how, std::string worker,
                                std::size_t slots) {
  return w.spawn_outside(home, pool, &w, &b, home, std::move(how), std::move(worker), slots);
}

} // namespace taskmaster::simulate
