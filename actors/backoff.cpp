#include "actors/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace taskmaster {

duration backoff(const retry_policy& policy, std::int32_t failures, double chance) {
  const auto most = static_cast<double>(policy.max.count());
  const auto grown = static_cast<double>(policy.initial.count()) * std::pow(policy.factor, std::max(0, failures - 1));
  const auto wait = std::min(most, grown); // pow may be infinite; min settles it
  return duration(static_cast<duration::rep>(wait * (1 + policy.jitter * chance)));
}

} // namespace taskmaster
