// The kinds that need nothing but this program, for trying and testing: noop, sleep, echo, fail. Pure; the pool waits with the
// actors' clock.
#pragma once
#include "actors/executor.hpp"

namespace taskmaster {

/// noop, sleep, echo or fail.
bool is_builtin(std::string_view kind);

struct builtin_run {
  duration wait{0}; // then `result`
  execution_result result;
};

/// noop: any payload, no result.  sleep {"for": "1.5s"}.  echo: the payload back as {"output"}, a large one as its text, cut at 64 KiB.
/// fail {"times": n, "message"}: fails while attempt <= n, or always; code "failed".
builtin_run builtin_step(const execution& run);

} // namespace taskmaster
