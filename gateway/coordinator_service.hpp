// The coordinator's door for schedulers in other processes: CoordinatorService over gRPC's callback API. Each call becomes one request to
// the coordinator with the caller's deadline, asked by a short-lived actor; nothing blocks gRPC's threads.
#pragma once
#include "actors/interfaces.hpp"
#include "actors/lease_view.hpp"

#include <grpcpp/grpcpp.h>
#include <memory>

namespace taskmaster {

/// To be registered with a server; must outlive it.
std::unique_ptr<grpc::Service> make_coordinator_service(caf::actor_system& system, coordinator_actor coordinator,
                                                        std::shared_ptr<const lease_view> view);

/// Trailing metadata of a refusal by a coordinator that does not lead: the leader's address.
inline constexpr const char* leader_metadata = "taskmaster-leader";

} // namespace taskmaster
