// The rule a compiled time zone ends with: which offset holds after its last listed change (RFC 9636, section 3.3.1, which extends the
// TZ variable of POSIX). Used by time_zone.cpp. Any thread.
//
// <date/ptz.h> of libhowardhinnant-date reads such rules too; it is not used because it is ambiguous in C++20 (version 3.0.1 of Debian
// 12) and takes no time of day before 0:00, as in Greenland's "<-02>2<-01>,M3.5.0/-1,M10.5.0/0".
#pragma once
#include <chrono>
#include <optional>
#include <string_view>

namespace taskmaster {

struct zone_rule {
  /// The day of a year on which the offset changes.
  struct change {
    enum class kind { month_week_day, julian, zero_based } how = kind::month_week_day;
    unsigned month = 1, week = 1, weekday = 0;   // Mm.w.d: the w-th such weekday of the month, 5 being the last; 0 is Sunday
    int day = 0;                                 // Jn: 1 to 365, 29 February never counted; n: 0 to 365, it counted
    std::chrono::seconds at{2 * 3600};           // after local midnight by the offset before the change; -167 h to 167 h
  };
  std::chrono::seconds standard{0}, summer{0};   // east of Greenwich
  change to_summer, to_standard;

  /// Nothing when it is malformed or names one offset for ever.
  static std::optional<zone_rule> parse(std::string_view text);

  struct stretch {
    std::chrono::sys_seconds begin, end; // [begin, end)
    std::chrono::seconds offset;
  };
  stretch at(std::chrono::sys_seconds t) const;
};

} // namespace taskmaster
