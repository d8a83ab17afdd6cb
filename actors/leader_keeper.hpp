// Keeps the lease: asks for it, renews it on a connection of its own, and tells the coordinator. Apart from the coordinator, so that a
// busy plan never costs the lease (protocol 3.2 #25). Decisions are `leadership`'s.
#pragma once
#include "actors/coordinator_desk.hpp"
#include "actors/leadership.hpp"
#include "actors/lease_view.hpp"
#include "actors/store_lane.hpp"

namespace taskmaster {

using leader_keeper_actor = caf::typed_actor<
    // Its own clock.
    caf::reacts_to<tick_atom>,
    // Resign, then end.
    caf::replies_to<stop_atom>::with<done_answer>>;

struct leader_keeper_config {
  std::string name;    // of this coordinator, for `leader.holder`
  std::string address; // where workers and schedulers reach it; may be empty
  leadership_options lease;
};

struct leader_keeper_state {
  leader_keeper_state() = default; // no aggregate: CAF 0.17 under C++20 would initialise its first member with the actor
  leader_keeper_config config;
  store_lane_actor lane;
  coordinator_desk_actor coordinator;
  std::shared_ptr<lease_view> view;
  leadership rule;
  bool stopping = false;
  bool unreachable = false; // logged once an outage
  static inline const char* name = "leader-keeper";
};

leader_keeper_actor::behavior_type leader_keeper(leader_keeper_actor::stateful_pointer<leader_keeper_state> self,
                                                 leader_keeper_config config, store_lane_actor lane,
                                                 coordinator_desk_actor coordinator, std::shared_ptr<lease_view> view);

} // namespace taskmaster
