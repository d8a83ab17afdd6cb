#include "gateway/grpc_status.hpp"

#include "gateway/status_codes.hpp"

namespace taskmaster {
namespace {

constexpr std::size_t message_limit = 1000, line_limit = 150, line_count = 20;

/// Cut without leaving half of a UTF-8 character.
std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit) + "...";
}

} // namespace

grpc::Status grpc_status(const error& e) {
  auto text = e.message;
  for (const auto& f : e.faults)
    if (text.size() <= message_limit) text += "\n" + f.field + ": " + f.detail;
  return {static_cast<grpc::StatusCode>(status_of(e.code).grpc), cut(std::move(text), message_limit), std::string(to_string(e.code))};
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

std::vector<std::pair<std::string, std::string>> grpc_trailers(const error& e) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& f : e.faults) {
    if (out.size() == line_count) break;
    std::string line = cut(f.field + ": " + f.detail, line_limit);
    for (auto& c : line)
      if (c < 0x20 || c > 0x7E) c = '?';
    out.emplace_back("taskmaster-fault", std::move(line));
  }
  if (const int wait = retry_after_seconds(e)) out.emplace_back("retry-after", std::to_string(wait));
  return out;
}

} // namespace taskmaster
