#include "gateway/grpc_status.hpp"

#include "gateway/status_codes.hpp"

namespace taskmaster {

grpc::Status grpc_status(const error& e) {
  auto text = e.message;
  for (const auto& f : e.faults) text += "\n" + f.field + ": " + f.detail;
  return {static_cast<grpc::StatusCode>(status_of(e.code).grpc), text, std::string(to_string(e.code))};
}

error error_of(const grpc::Status& status) {
  for (auto code = static_cast<int>(ec::invalid_argument); code <= static_cast<int>(ec::internal); ++code)
    if (status.error_details() == to_string(static_cast<ec>(code))) return {static_cast<ec>(code), status.error_message()};
  // Not one of ours: the connection, or gRPC itself.
  const auto code = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ? ec::deadline_exceeded : ec::unavailable;
  error e(code, "the coordinator cannot be reached: " + status.error_message());
  e.retry_after = std::chrono::seconds(1);
  return e;
}

} // namespace taskmaster
