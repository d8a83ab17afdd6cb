// The worker's runner of tasks: built-in kinds by the actors' clock, others by the executor of their kind. Asked by the worker
// actor, which keeps to the slots. An ordinary actor: nothing in it blocks.
#pragma once
#include "actors/builtin_tasks.hpp"
#include "actors/interfaces.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

namespace taskmaster {

using executors = std::map<std::string, std::shared_ptr<executor>>; // by kind

// To itself only.
using ended_atom = caf::atom_constant<caf::atom("tm_ended")>;

/// executor_pool_actor and what the pool tells itself; converts to executor_pool_actor.
using executor_pool_self = executor_pool_actor::extend<
    // From an executor's thread: a run has ended.
    caf::reacts_to<ended_atom, std::uint64_t, execution_result>,
    // The earliest built-in may be due.
    caf::reacts_to<tick_atom>>;

struct executor_pool_state {
  static constexpr const char* name = "executor-pool";
  using time_point = caf::actor_clock::time_point;

  struct running {
    caf::typed_response_promise<execution_result> answer;
    std::shared_ptr<executor> by;     // null for a built-in
    std::optional<time_point> due;    // a built-in's
    execution_result result;          // what a built-in ends with when due
  };
  executors by_kind;
  std::unordered_map<std::uint64_t, running> runs;
  std::set<std::pair<time_point, std::uint64_t>> due;
  std::optional<time_point> armed; // the earliest tick under way: one cannot be called back, so there are few
};

/// A kind that nobody serves is refused with code "kind". On stop_atom it cancels every run, answers them all as cancelled at once and
/// quits. It does not call executor::stop(), which waits: that is for stop_executors(), on a thread that may.
executor_pool_self::behavior_type executor_pool(executor_pool_self::stateful_pointer<executor_pool_state> self,
                                                executors by_kind);

/// For the composer: call it when the pool has ended, on a thread of its own or main's, and before the actor system goes, since
/// executors hold handles of the pool until their runs have ended.
void stop_executors(const executors& all);

} // namespace taskmaster
