// IANA time zones from the system's tzdata, by libhowardhinnant-date (C++20's own zones are not in GCC 12). Any thread.
#pragma once
#include "schema/error.hpp"
#include "schema/zone_rule.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace date {
class time_zone;
}

namespace taskmaster {

class time_zone {
public:
  /// ec::invalid_argument for a name that tzdata does not know.
  static expected<time_zone> find(std::string_view name);
  /// Of the tzdata in use, such as "2024a"; recorded with each schedule.
  static std::string version();

  /// A stretch of time with one offset: [begin, end).
  struct stretch {
    std::chrono::sys_seconds begin, end;
    std::chrono::seconds offset;
  };
  stretch at(std::chrono::sys_seconds t) const;

private:
  time_zone(const date::time_zone* zone, const std::optional<zone_rule>& after) : zone_(zone), after_(after) {}
  const date::time_zone* zone_;                   // tzdata's, for ever
  std::optional<zone_rule> after_; // the rule from the last listed change of offset on; nothing: none changes any more
};

} // namespace taskmaster
