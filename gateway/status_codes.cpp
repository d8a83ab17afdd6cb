#include "gateway/status_codes.hpp"

#include <algorithm>
#include <array>

namespace taskmaster {
namespace {

// The gRPC numbers, as https://grpc.github.io/grpc/core/md_doc_statuscodes.html fixes them.
constexpr int grpc_unknown = 2, grpc_invalid_argument = 3, grpc_deadline_exceeded = 4, grpc_not_found = 5, grpc_resource_exhausted = 8,
              grpc_failed_precondition = 9, grpc_internal = 13, grpc_unavailable = 14;

// too_large is INVALID_ARGUMENT and not RESOURCE_EXHAUSTED, which clients take as "wait and send the same again".
// ambiguous is UNKNOWN and not UNAVAILABLE, which clients repeat by themselves, also without a key.
constexpr std::array table{
    status_row{ec::invalid_argument, 400, grpc_invalid_argument, "The form of the request is wrong", "invalid-argument"},
    status_row{ec::too_large, 413, grpc_invalid_argument, "The request is too large", "too-large"},
    status_row{ec::unprocessable, 422, grpc_invalid_argument, "A rule or limit forbids the request", "unprocessable"},
    status_row{ec::not_found, 404, grpc_not_found, "Not found", "not-found"},
    status_row{ec::conflict, 409, grpc_failed_precondition, "The state of the thing forbids the request", "conflict"},
    status_row{ec::exhausted, 429, grpc_resource_exhausted, "Too much is under way", "exhausted"},
    status_row{ec::unavailable, 503, grpc_unavailable, "The service cannot be reached now", "unavailable"},
    status_row{ec::ambiguous, 503, grpc_unknown, "It is not known whether the request took effect", "ambiguous"},
    status_row{ec::deadline_exceeded, 503, grpc_deadline_exceeded, "No answer in time", "deadline-exceeded"},
    status_row{ec::not_leader, 503, grpc_unavailable, "No leader can be reached now", "not-leader"},
    status_row{ec::deposed, 503, grpc_unavailable, "The leader is changing", "deposed"},
    status_row{ec::incompatible, 400, grpc_failed_precondition, "The protocol versions do not fit", "incompatible"},
    status_row{ec::internal, 500, grpc_internal, "A fault of the service", "internal"},
};

} // namespace

const status_row& status_of(ec code) {
  const auto row = std::find_if(table.begin(), table.end(), [&](const status_row& r) { return r.code == code; });
  return row == table.end() ? table.back() : *row;
}

int retry_after_seconds(const error& e) {
  const int http = status_of(e.code).http;
  if (e.retry_after) return static_cast<int>(std::clamp<std::int64_t>(e.retry_after->count(), 1, 3600));
  return http == 429 || http == 503 ? 1 : 0;
}

} // namespace taskmaster
