// A token bucket in whole numbers: exact over any span, no rounding that adds up. Part of the plan's limits. Pure; one thread.
#pragma once
#include "schema/queue.hpp"

namespace taskmaster {

class rate_meter {
public:
  /// Full or empty at `since`.
  rate_meter(timestamp since, bool full) : at_(since), full_(full) {}

  bool ready(const rate_limit& rate, timestamp now);
  /// Takes a token that ready() has seen.
  void take(const rate_limit& rate, timestamp now);
  /// When the next token is there; `now` when one is.
  timestamp next(const rate_limit& rate, timestamp now);
  bool full(const rate_limit& rate, timestamp now);
  timestamp full_at(const rate_limit& rate, timestamp now);
  /// The rate was changed: what waits is kept, up to the new burst.
  void change(const rate_limit& before, const rate_limit& after, timestamp now);

private:
  void settle(const rate_limit& rate, timestamp now);
  timestamp reaches(std::int64_t level, const rate_limit& rate, timestamp now);

  timestamp at_;
  bool full_;
  std::int64_t level_ = 0; // in microseconds times tokens: one token is `period`, each microsecond brings `limit`
};

} // namespace taskmaster
