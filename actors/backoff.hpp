// How long a failed task waits for its next attempt. Pure; the caller owns chance.
#pragma once
#include "schema/task.hpp"

namespace taskmaster {

/// min(max, initial * factor^(failures - 1)), plus up to `jitter` of itself: never shorter than asked for, since "not before" is
/// what users read. `failures` counts the one that just happened (1 for the first); `chance` is in [0, 1).
duration backoff(const retry_policy& policy, std::int32_t failures, double chance);

} // namespace taskmaster
