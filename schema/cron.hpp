// A cron expression on a wall clock without zone: five fields (minute hour day month weekday) or six with seconds before them. Pure, any
// thread. Which instants of a zone its local times mean is decided in schema/recurrence.hpp.
//
// Taken: numbers, names (JAN, MON), lists, ranges, steps (*/5, 10-50/10, 7/20), `?` as `*`, @yearly @annually @monthly @weekly @daily
// @midnight @hourly; day `L` (last), `L-3` (third before it), `15W` (the weekday nearest to the 15th), `LW`; weekday 0 to 7 (0 and 7 are
// Sunday), `MON#2` (second of the month), `5L` (last Friday); `~` alone or in `a~b` is one value of the range, picked by a hash of the
// schedule's name, so that a thousand hourly schedules do not fire together (as in FreeBSD's and OpenBSD's cron, there random).
// Day and weekday both restricted: either matches, as in Vixie cron; a field that begins with `*` does not restrict.
#pragma once
#include "schema/error.hpp"

#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

using local_seconds = std::chrono::local_time<std::chrono::seconds>;

class cron {
public:
  /// `name` seeds `~`. The failure names the field and what it takes.
  static expected<cron> parse(std::string_view text, std::string_view name);

  /// The first match in [from, until). Looks at no more days than there are between them.
  std::optional<local_seconds> next(local_seconds from, local_seconds until) const;

  /// The hour field is a `*`, with or without step: such a schedule means elapsed time, not an hour of the day.
  bool every_hour() const { return every_hour_; }
  /// No date of any year matches, like 30 February.
  bool never() const;

private:
  struct nth {
    unsigned weekday;
    int week; // 1 to 5, or -1: the last
  };
  bool day_matches(std::chrono::year_month_day date) const;

  std::bitset<60> seconds_, minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  std::vector<int> before_last_;     // L, L-3
  std::vector<unsigned> nearest_;    // 15W; 0: LW
  std::vector<nth> nth_;             // MON#2, 5L
  bool any_day_ = false, any_weekday_ = false, every_hour_ = false;
  friend class cron_reader;
};

} // namespace taskmaster
