#include "actors/store_lane.hpp"

namespace taskmaster {

store_lane_actor::behavior_type store_lane(store_lane_actor::stateful_pointer<store_lane_state> self,
                                           std::shared_ptr<task_store> store) {
  self->state.store = std::move(store);
  return {[self](const store_call& call) {
    return store_reply{std::make_shared<std::any>(call.run(*self->state.store))};
  }};
}

} // namespace taskmaster
