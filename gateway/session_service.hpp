// The coordinator's door for workers: WorkerService.Session over gRPC's callback API. Each stream gets a worker proxy; the stream is its
// worker_link. Reactors run on gRPC's threads and only pass messages.
#pragma once
#include "actors/lease_view.hpp"
#include "actors/worker_proxy.hpp"

#include <grpcpp/grpcpp.h>
#include <memory>

namespace taskmaster {

/// To be registered with a server; must outlive it.
std::unique_ptr<grpc::Service> make_session_service(caf::actor_system& system, coordinator_desk_actor coordinator,
                                                    std::shared_ptr<const lease_view> view, session_timing timing);

} // namespace taskmaster
