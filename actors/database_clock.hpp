// A lower bound of the database's clock, so that no task starts before its run_at whatever this machine's clock says (protocol
// 3.1 #15). Pure; used by the coordinator on its own thread.
#pragma once
#include "schema/time.hpp"

namespace taskmaster {

class database_clock {
public:
  /// An answer stamped `stamp` by clock_timestamp(), asked and received at these moments of the monotonic clock.
  /// A database clock that stepped back (failover) resets the bound.
  void sample(timestamp stamp, steady_time asked, steady_time received);

  /// A stamp of the database's clock that came some other way (a row's created_at): it shows at least that by now. Without it a task
  /// due at once would wait for the bound to catch up with the moment of its own insert.
  void witness(timestamp stamp, steady_time now);

  /// The database's clock shows at least this; timestamp::min() before the first sample.
  timestamp at_least(steady_time now) const;

private:
  // Two quartz clocks drift apart by less than this (200 ppm); the bound ages by it.
  static constexpr double drift = 200e-6;
  timestamp stamp_ = timestamp::min();
  steady_time received_{};
};

} // namespace taskmaster
