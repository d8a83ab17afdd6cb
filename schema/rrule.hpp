// A recurrence rule of RFC 5545 (RRULE) on a wall clock without zone. Which instants of a zone its local times mean is decided in
// schema/recurrence.hpp, as for cron. Pure, any thread.
//
// A rule names a period (a year … a second) and choices within it; each period's times are listed and the first that counts is taken. Every
// search is bounded by the time it is given and by a number of periods, so a rule that never matches ends it.
//
// libical was tried first and put back: of 1,300 generated rules its 3.0.16 disagreed with python3-dateutil on 226 (a negative BYMONTHDAY
// under DAILY, a start in the middle with several BYMINUTE, BYSETPOS), and it walks a rule of seconds second by second to the year 2582.
#pragma once
#include "schema/cron.hpp"

#include <array>

namespace taskmaster {

class rrule {
public:
  /// `start` is DTSTART: where counting begins, and what the parts that are not named are taken from. The failure names the part.
  static expected<rrule> parse(std::string_view text, local_seconds start);

  /// The first match in [from, until).
  std::optional<local_seconds> next(local_seconds from, local_seconds until) const;

  /// A rule of hours, minutes or seconds without BYHOUR means elapsed time, not an hour of the day.
  bool every_hour() const { return freq_ >= period::hour && !hours_named_; }
  bool counts() const { return counted_.has_value(); }
  /// UNTIL with a `Z`: no instant after this.
  std::optional<std::chrono::sys_seconds> until_utc() const { return until_utc_; }

private:
  enum class period : std::uint8_t { year, month, week, day, hour, minute, second };
  struct nth_weekday {
    int n = 0; // 0: each; -1: the last
    unsigned weekday = 0; // 0 is Sunday
  };
  std::optional<local_seconds> search(local_seconds from, local_seconds until) const;
  std::int64_t number_of(local_seconds t) const;         // of the period that t lies in, counted from the start's
  local_seconds begin_of(std::int64_t number) const;     // of a period
  std::vector<local_seconds> times_of(std::int64_t number) const;
  std::int64_t skip(local_seconds begin) const;          // of a short period whose hour or day cannot match: the next to look at
  bool day_matches(std::chrono::local_days day) const;
  bool weekday_matches(std::chrono::local_days day) const;
  bool week_matches(std::chrono::local_days day) const;

  period freq_ = period::day;
  std::int64_t interval_ = 1;
  std::chrono::weekday week_start_ = std::chrono::Monday;
  std::vector<int> seconds_, minutes_, hours_, month_days_, year_days_, weeks_, months_, positions_; // sorted
  std::vector<nth_weekday> weekdays_;
  bool hours_named_ = false, never_ = false;
  local_seconds start_;
  std::optional<local_seconds> until_;
  std::optional<std::chrono::sys_seconds> until_utc_;
  std::optional<std::vector<local_seconds>> counted_; // of a rule with COUNT: all of its times
  friend class rrule_reader;
};

} // namespace taskmaster
