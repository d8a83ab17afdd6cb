// The body of POST /v1/tasks/cancel and /retry: {"filter": {queue, kind, state, reason, label}, "dry_run", "rate"}. HTTP handlers read it; gRPC judges its own
// form with the same rules.
#pragma once
#include "actors/messages.hpp"

#include <string_view>

namespace taskmaster {

/// What a bulk request may take: 100,000 tasks are listed and changed within it.
constexpr std::chrono::minutes bulk_limit{5};

expected<bulk_request> read_bulk(bulk_request::verb what, std::string_view body);
/// The rules that hold on both doors: a filter that says something, and a state that the verb applies to.
std::optional<error> judge_bulk(const bulk_request& request);

} // namespace taskmaster
