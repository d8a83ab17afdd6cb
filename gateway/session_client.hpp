// The worker's way to a coordinator: dials WorkerService.Session over gRPC and stands in for the coordinator as coordinator_link. Never
// blocks; gRPC's threads only pass messages to the worker.
#pragma once
#include "actors/worker.hpp"

#include <memory>

namespace taskmaster {

std::shared_ptr<coordinator_dialer> make_session_dialer();

} // namespace taskmaster
