// The header that a busy HTTP target answers with: seconds, or one of HTTP's three forms of date (RFC 9110). Pure; any thread.
#pragma once
#include "schema/time.hpp"

#include <optional>
#include <string_view>

namespace taskmaster {

std::optional<timestamp> parse_http_date(std::string_view text);

/// How long to wait from `now`; zero for a date that has passed, at most a year; nothing when it cannot be read.
std::optional<duration> parse_retry_after(std::string_view text, timestamp now);

} // namespace taskmaster
