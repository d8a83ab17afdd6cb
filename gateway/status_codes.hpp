// The one table that turns an ec into what a client acts on: HTTP status, gRPC status, title and slug. Both doors read it; no
// handler picks a status of its own for an error. Pure; any thread.
#pragma once
#include "schema/error.hpp"

#include <string_view>

namespace taskmaster {

struct status_row {
  ec code;
  int http;              // 4xx, 5xx
  int grpc;              // a grpc::StatusCode, as the number it is on the wire
  std::string_view title; // of the problem type, the same for every occurrence
  std::string_view slug;  // "invalid-argument": last part of the problem's `type`
};

const status_row& status_of(ec code);

/// Seconds after which the same request may pass: the error's own, at least 1 for 429 and 503, 0 for what will not change by waiting.
int retry_after_seconds(const error& e);

} // namespace taskmaster
