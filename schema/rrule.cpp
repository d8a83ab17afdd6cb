#include "schema/rrule.hpp"

#include <algorithm>

namespace taskmaster {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::local_days;
using std::chrono::seconds;
using std::chrono::year;
using std::chrono::year_month_day;

namespace {

constexpr int periods_most = 1'000'000; // looked at in one search

bool has(const std::vector<int>& list, std::int64_t value) { return std::binary_search(list.begin(), list.end(), static_cast<int>(value)); }
/// Unnamed, or the n-th of `length`, counted from either end.
bool admits(const std::vector<int>& list, std::int64_t n, std::int64_t length) { return list.empty() || has(list, n) || has(list, n - length - 1); }
int number(std::chrono::month m) { return static_cast<int>(static_cast<unsigned>(m)); }
int number(std::chrono::day d) { return static_cast<int>(static_cast<unsigned>(d)); }
std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

} // namespace

std::int64_t rrule::number_of(local_seconds t) const {
  const auto day = floor<days>(t), first = floor<days>(start_);
  const year_month_day date(day), start(first);
  const auto week = [&](local_days d) { return floor_div((d - (std::chrono::weekday(d) - week_start_)).time_since_epoch().count(), 7); };
  switch (freq_) {
  case period::year: return static_cast<int>(date.year()) - static_cast<int>(start.year());
  case period::month: return (static_cast<int>(date.year()) - static_cast<int>(start.year())) * 12 + number(date.month()) - number(start.month());
  case period::week: return week(day) - week(first);
  case period::day: return (day - first).count();
  case period::hour: return floor_div(t.time_since_epoch().count(), 3600) - floor_div(start_.time_since_epoch().count(), 3600);
  case period::minute: return floor_div(t.time_since_epoch().count(), 60) - floor_div(start_.time_since_epoch().count(), 60);
  default: return (t - start_).count();
  }
}

local_seconds rrule::begin_of(std::int64_t n) const {
  const auto first = floor<days>(start_);
  const year_month_day start(first);
  switch (freq_) {
  case period::year: return local_days((start.year() + std::chrono::years(n)) / 1 / 1);
  case period::month: {
    const auto months = static_cast<int>(start.year()) * 12 + number(start.month()) - 1 + n;
    return local_days(year(static_cast<int>(floor_div(months, 12))) / static_cast<int>(months - floor_div(months, 12) * 12 + 1) / 1);
  }
  case period::week: return first - (std::chrono::weekday(first) - week_start_) + days(7 * n);
  case period::day: return first + days(n);
  case period::hour: return local_seconds(seconds((floor_div(start_.time_since_epoch().count(), 3600) + n) * 3600));
  case period::minute: return local_seconds(seconds((floor_div(start_.time_since_epoch().count(), 60) + n) * 60));
  default: return start_ + seconds(n);
  }
}

/// The week of a year that has at least four of its days is its first (RFC 5545, as ISO 8601 with any first weekday).
bool rrule::week_matches(local_days day) const {
  if (weeks_.empty()) return true;
  const auto begin_of_first = [&](year y) {
    const local_days fourth(y / 1 / 4);
    return fourth - (std::chrono::weekday(fourth) - week_start_);
  };
  auto y = year_month_day(day).year();
  if (day >= begin_of_first(y + std::chrono::years(1))) ++y;
  else if (day < begin_of_first(y)) --y;
  const auto first = begin_of_first(y);
  return admits(weeks_, (day - first).count() / 7 + 1, (begin_of_first(y + std::chrono::years(1)) - first).count() / 7);
}

bool rrule::weekday_matches(local_days day) const {
  if (weekdays_.empty()) return true;
  const auto weekday = std::chrono::weekday(day).c_encoding();
  const year_month_day date(day);
  // With a number: the n-th within the month, or the year when it is one of years and names no months.
  const bool of_month = freq_ == period::month || !months_.empty();
  const local_days begin(of_month ? date.year() / date.month() / 1 : date.year() / 1 / 1);
  const local_days last(of_month ? year_month_day(date.year() / date.month() / std::chrono::last) : date.year() / 12 / 31);
  for (const auto& w : weekdays_) {
    if (w.weekday != weekday) continue;
    if (w.n == 0 || (w.n > 0 ? (day - begin).count() / 7 + 1 == w.n : (last - day).count() / 7 + 1 == -w.n)) return true;
  }
  return false;
}

bool rrule::day_matches(local_days day) const {
  const year_month_day date(day);
  if (!months_.empty() && !has(months_, number(date.month()))) return false;
  const auto length = number((date.year() / date.month() / std::chrono::last).day());
  if (!admits(month_days_, number(date.day()), length)) return false;
  if (!admits(year_days_, (day - local_days(date.year() / 1 / 1)).count() + 1, date.year().is_leap() ? 366 : 365)) return false;
  return weekday_matches(day) && week_matches(day);
}

std::vector<local_seconds> rrule::times_of(std::int64_t n) const {
  const auto begin = begin_of(n), end = begin_of(n + 1);
  std::vector<local_seconds> all;
  if (freq_ < period::hour) {
    for (auto day = floor<days>(begin); day < end; day += days(1)) {
      if (!day_matches(day)) continue;
      for (const auto h : hours_)
        for (const auto m : minutes_)
          for (const auto s : seconds_) all.push_back(day + seconds(h * 3600 + m * 60 + s));
    }
  } else if (freq_ == period::hour) {
    for (const auto m : minutes_)
      for (const auto s : seconds_) all.push_back(begin + seconds(m * 60 + s));
  } else if (freq_ == period::minute) {
    for (const auto s : seconds_) all.push_back(begin + seconds(s));
  } else {
    all.push_back(begin);
  }
  if (positions_.empty()) return all;
  std::vector<local_seconds> chosen;
  const auto size = static_cast<std::int64_t>(all.size());
  for (std::int64_t i = 0; i < size; ++i)
    if (admits(positions_, i + 1, size)) chosen.push_back(all[static_cast<std::size_t>(i)]);
  return chosen;
}

std::int64_t rrule::skip(local_seconds begin) const {
  const auto day = floor<days>(begin);
  const auto of_day = (begin - day).count();
  if (!day_matches(day)) return number_of(day + days(1));
  if (!hours_.empty() && !has(hours_, of_day / 3600)) return number_of(day + seconds((of_day / 3600 + 1) * 3600));
  if (freq_ > period::hour && !minutes_.empty() && !has(minutes_, of_day / 60 % 60)) return number_of(day + seconds((of_day / 60 + 1) * 60));
  if (freq_ == period::second && !seconds_.empty() && !has(seconds_, of_day % 60)) return number_of(begin + seconds(1));
  return number_of(begin);
}

std::optional<local_seconds> rrule::search(local_seconds from, local_seconds until) const {
  if (never_) return std::nullopt;
  from = std::max(from, start_);
  auto n = number_of(from);
  for (int looked = 0; looked < periods_most; ++looked) {
    n = floor_div(n + interval_ - 1, interval_) * interval_;
    const auto begin = begin_of(n);
    if (begin >= until) return std::nullopt;
    if (freq_ >= period::hour)
      if (const auto next = skip(begin); next > n) {
        n = next;
        continue;
      }
    if (freq_ < period::hour && positions_.empty()) { // day by day: a year of many times a day is a long list
      const auto end = std::min<local_seconds>(begin_of(n + 1), until);
      for (auto day = std::max(floor<days>(begin), floor<days>(from)); day < end; day += days(1)) {
        if (!day_matches(day)) continue;
        for (const auto h : hours_)
          for (const auto m : minutes_)
            for (const auto s : seconds_)
              if (const auto t = day + seconds(h * 3600 + m * 60 + s); t >= from) return t < until ? std::optional<local_seconds>(t) : std::nullopt;
      }
    } else {
      for (const auto t : times_of(n))
        if (t >= from) return t < until ? std::optional(t) : std::nullopt;
    }
    ++n;
  }
  return std::nullopt;
}

std::optional<local_seconds> rrule::next(local_seconds from, local_seconds until) const {
  if (until_) until = std::min(until, *until_ + seconds(1));
  if (!counted_) return search(from, until);
  const auto at = std::lower_bound(counted_->begin(), counted_->end(), from);
  return at != counted_->end() && *at < until ? std::optional(*at) : std::nullopt;
}

} // namespace taskmaster
