// Our errors as gRPC statuses and back. The code's name travels in the details, so that our own processes tell apart what gRPC has one
// number for. Pure; any thread.
#pragma once
#include "schema/error.hpp"

#include <grpcpp/support/status.h>
#include <utility>
#include <vector>

namespace taskmaster {

/// The message has the faults appended, a line each, and ends after a thousand characters: peers refuse headers over 8 KiB.
grpc::Status grpc_status(const error& e);
error error_of(const grpc::Status& status);

/// For trailing metadata: "taskmaster-fault" with "/run_at: …" once for each of the first twenty faults, "retry-after" with seconds where
/// waiting helps. Printable ASCII, as metadata has to be.
std::vector<std::pair<std::string, std::string>> grpc_trailers(const error& e);

} // namespace taskmaster
