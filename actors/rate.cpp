#include "actors/rate.hpp"

#include <algorithm>

namespace taskmaster {

void rate_meter::settle(const rate_limit& rate, timestamp now) {
  const auto capacity = rate.burst * rate.period.count();
  if (full_) {
    level_ = capacity;
    full_ = false;
    at_ = std::max(at_, now);
  }
  if (now <= at_) return;
  const auto elapsed = (now - at_).count();
  const auto missing = capacity - level_;
  level_ = elapsed >= (missing + rate.limit - 1) / rate.limit ? capacity : level_ + elapsed * rate.limit;
  at_ = now;
}

bool rate_meter::ready(const rate_limit& rate, timestamp now) {
  settle(rate, now);
  return level_ >= rate.period.count();
}

void rate_meter::take(const rate_limit& rate, timestamp now) {
  settle(rate, now);
  level_ -= rate.period.count();
}

timestamp rate_meter::reaches(std::int64_t level, const rate_limit& rate, timestamp now) {
  settle(rate, now);
  const auto missing = level - level_;
  return missing <= 0 ? now : std::max(at_, now) + duration((missing + rate.limit - 1) / rate.limit);
}

timestamp rate_meter::next(const rate_limit& rate, timestamp now) { return reaches(rate.period.count(), rate, now); }

timestamp rate_meter::full_at(const rate_limit& rate, timestamp now) { return reaches(rate.burst * rate.period.count(), rate, now); }

bool rate_meter::full(const rate_limit& rate, timestamp now) {
  settle(rate, now);
  return level_ == rate.burst * rate.period.count();
}

void rate_meter::change(const rate_limit& before, const rate_limit& after, timestamp now) {
  settle(before, now);
  const auto whole = std::min(level_ / before.period.count(), after.burst);
  const auto part = static_cast<double>(level_ % before.period.count()) / static_cast<double>(before.period.count());
  const auto rest = whole == after.burst ? 0 : static_cast<std::int64_t>(part * static_cast<double>(after.period.count()));
  level_ = whole * after.period.count() + rest;
}

} // namespace taskmaster
