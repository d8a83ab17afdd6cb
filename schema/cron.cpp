#include "schema/cron.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

using namespace std::chrono;

/// The weekday nearest to a day, within its month (15W, 1W, LW).
unsigned nearest_weekday(year_month month, unsigned wanted) {
  const unsigned last = static_cast<unsigned>(year_month_day_last(month.year(), month_day_last(month.month())).day());
  const unsigned day = wanted == 0 ? last : wanted;
  if (day > last) return 0;
  const auto w = weekday(local_days(month / std::chrono::day(day)));
  if (w == Saturday) return day > 1 ? day - 1 : day + 2;
  if (w == Sunday) return day < last ? day + 1 : day - 2;
  return day;
}

template <std::size_t N>
std::optional<unsigned> from(const std::bitset<N>& set, unsigned begin) {
  for (unsigned n = begin; n < N; ++n)
    if (set[n]) return n;
  return {};
}

} // namespace

bool cron::day_matches(year_month_day date) const {
  if (!months_[static_cast<unsigned>(date.month())]) return false;
  const unsigned day = static_cast<unsigned>(date.day());
  const unsigned last = static_cast<unsigned>(year_month_day_last(date.year(), month_day_last(date.month())).day());
  const unsigned wd = weekday(local_days(date)).c_encoding();
  const bool by_day = days_[day] ||
                      std::any_of(before_last_.begin(), before_last_.end(), [&](int n) { return static_cast<int>(last) - n == static_cast<int>(day); }) ||
                      std::any_of(nearest_.begin(), nearest_.end(), [&](unsigned n) { return nearest_weekday(date.year() / date.month(), n) == day; });
  const bool by_weekday = weekdays_[wd] || std::any_of(nth_.begin(), nth_.end(), [&](const nth& n) {
    return n.weekday == wd && (n.week < 0 ? day + 7 > last : (day - 1) / 7 + 1 == static_cast<unsigned>(n.week));
  });
  if (any_day_ || any_weekday_) return by_day && by_weekday;
  return by_day || by_weekday;
}

std::optional<local_seconds> cron::next(local_seconds begin, local_seconds until) const {
  auto date = floor<days>(begin);
  auto time = begin - date;
  for (; date < until; date += days(1), time = seconds(0)) {
    const year_month_day ymd(date);
    if (!months_[static_cast<unsigned>(ymd.month())]) { // to the last day of this month, and on
      date = local_days(year_month_day_last(ymd.year(), month_day_last(ymd.month())));
      continue;
    }
    if (!day_matches(ymd)) continue;
    auto h = static_cast<unsigned>(time.count() / 3600), m = static_cast<unsigned>(time.count() / 60 % 60), s = static_cast<unsigned>(time.count() % 60);
    for (auto hour = from(hours_, h); hour; hour = from(hours_, *hour + 1), m = s = 0) {
      if (*hour != h) m = s = 0;
      for (auto minute = from(minutes_, m); minute; minute = from(minutes_, *minute + 1), s = 0) {
        if (*minute != m) s = 0;
        if (const auto second = from(seconds_, s)) {
          const auto found = date + hours(*hour) + minutes(*minute) + seconds(*second);
          return found < until ? std::optional<local_seconds>(found) : std::nullopt;
        }
      }
    }
  }
  return {};
}

bool cron::never() const {
  // Dates and weekdays repeat after 400 years, leap days on each weekday within 40 (2096 to 2104 skips one); 2000 to 2100 shows them all.
  const local_seconds begin = local_days(2000y / January / 1), end = local_days(2101y / January / 1);
  return !next(begin, end);
}

} // namespace taskmaster
