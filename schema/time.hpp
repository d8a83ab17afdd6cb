// Instants and lengths of time as users write them. Instants are UTC with microseconds; lengths are
// microseconds. Pure functions, any thread. "Now" is never read here: who decides is given it.
#pragma once
#include "schema/error.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace taskmaster {

using timestamp = std::chrono::sys_time<std::chrono::microseconds>;
using duration = std::chrono::microseconds;

/// The machine's monotonic clock, as CAF's actor clock counts it: for leases, deadlines and heartbeats.
using steady_time = std::chrono::steady_clock::time_point;

/// RFC 3339 with an offset: "2023-12-25T22:34:00+05:30", fraction of up to nine digits (cut to microseconds),
/// second 60 read as the next second. Years 0001 to 9999. Refused without an offset: the reader cannot know
/// which zone was meant.
expected<timestamp> parse_timestamp(std::string_view text);

/// "2023-12-25T17:04:00.000000Z".
std::string format_timestamp(timestamp t);

/// A string of `us ms s m h d`, whole or decimal, no sign: "250ms", "1.5s", "1h30m". At most 100 years.
expected<duration> parse_duration(std::string_view text);

/// The shortest form that reads back the same: "1h30m", "250ms", "0s".
std::string format_duration(duration d);

} // namespace taskmaster
