// Our errors as gRPC statuses and back. The code's name travels in the details, so that our own processes tell apart what gRPC has one
// number for. Pure; any thread.
#pragma once
#include "schema/error.hpp"

#include <grpcpp/support/status.h>

namespace taskmaster {

grpc::Status grpc_status(const error& e);
error error_of(const grpc::Status& status);

} // namespace taskmaster
