#include "actors/database_clock.hpp"

#include "schema/mutant.hpp"

namespace taskmaster {

timestamp database_clock::at_least(steady_time now) const {
  if (stamp_ == timestamp::min()) return stamp_;
  const auto passed = std::chrono::duration_cast<duration>(now - received_) + std::chrono::milliseconds(mutant("clock_ahead") ? 100 : 0);
  return stamp_ + passed - duration(static_cast<duration::rep>(static_cast<double>(passed.count()) * drift));
}

void database_clock::sample(timestamp stamp, steady_time asked, steady_time received) {
  const auto bound = at_least(received);
  const auto round_trip = std::chrono::ceil<duration>(received - asked);
  // The answer was stamped within the round trip, so the clock shows at most stamp + round trip now. A bound above that can
  // only come from a clock that has been set back.
  const bool stepped_back = bound > stamp + round_trip;
  if (stamp > bound || stepped_back) {
    stamp_ = stamp;
    received_ = received;
  }
}

void database_clock::witness(timestamp stamp, steady_time now) {
  if (stamp <= at_least(now)) return;
  stamp_ = stamp;
  received_ = now;
}

} // namespace taskmaster
