// The link between a worker and a coordinator in one process: each end's messages go straight to the other's mailbox. Dials succeed
// at once. What gRPC does between processes (gateway/session_client, gateway/session_service).
#pragma once
#include "actors/lease_view.hpp"
#include "actors/worker.hpp"
#include "actors/worker_proxy.hpp"

namespace taskmaster {

/// Spawns a worker proxy per dial, for this coordinator.
std::shared_ptr<coordinator_dialer> make_local_dialer(caf::actor_system& system, coordinator_desk_actor coordinator,
                                                      std::shared_ptr<const lease_view> view, session_timing timing);

} // namespace taskmaster
