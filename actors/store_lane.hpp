// A store lane: an actor that owns one task_store (one database connection) and runs on it, one after the other, what it is asked to.
// Over PostgreSQL it blocks, so the composition spawns it detached; over memory an ordinary actor does. The store's calls carry
// their own deadlines. Used by scheduler, coordinator and leader_keeper; each keeps the number of its open calls bounded.
#pragma once
#include "schema/store.hpp"

#include <any>
#include <caf/all.hpp>
#include <functional>
#include <memory>
#include <type_traits>

namespace taskmaster {

/// What to run on the lane's store, and what came of it. A closure instead of an atom per verb: the verbs are task_store's, and
/// stating them twice only gave twenty handlers that forward.
struct store_call {
  std::function<std::any(task_store&)> run;
};
struct store_reply {
  std::shared_ptr<std::any> value;
};

using store_lane_actor = caf::typed_actor<
    // Runs the call; the answer holds what it returned.
    caf::replies_to<store_call>::with<store_reply>>;

struct store_lane_state {
  store_lane_state() = default; // no aggregate: CAF 0.17 under C++20 would initialise its first member with the actor
  std::shared_ptr<task_store> store;
  static inline const char* name = "store-lane";
};

store_lane_actor::behavior_type store_lane(store_lane_actor::stateful_pointer<store_lane_state> self,
                                           std::shared_ptr<task_store> store);

/// Runs `call(store)` (an expected<…>) on the lane and `then(answer)` back in `self`. A lane that has ended answers ec::unavailable.
template <class Self, class Call, class Then>
void ask_store(Self* self, const store_lane_actor& lane, Call call, Then then);

} // namespace taskmaster

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::store_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::store_reply)

namespace taskmaster {

template <class Self, class Call, class Then>
void ask_store(Self* self, const store_lane_actor& lane, Call call, Then then) {
  using answer = std::invoke_result_t<Call, task_store&>;
  store_call boxed{[call = std::move(call)](task_store& store) { return std::any(call(store)); }};
  self->request(lane, caf::infinite, std::move(boxed))
      .then([then](const store_reply& reply) mutable { then(std::any_cast<answer&>(*reply.value)); },
            [then](const caf::error&) mutable {
              answer ended(error{ec::unavailable, "the store lane has ended"});
              then(ended);
            });
}

} // namespace taskmaster
