#include "schema/time_zone.hpp"

#include <date/tz.h>

#include <algorithm>
#include <fstream>

namespace taskmaster {
namespace {

// A compiled zone lists each change of offset up to 2037 and names the rule that holds from then on in its last line. The library reads
// the list and leaves the rule, which would end daylight saving time for ever in 2038.
std::optional<zone_rule> rule_of(const std::string& name) {
  std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
  std::string line, last;
  while (std::getline(file, line)) last = line;
  return zone_rule::parse(last);
}

} // namespace

expected<time_zone> time_zone::find(std::string_view name) {
  try {
    const auto* zone = date::locate_zone(std::string(name));
    return time_zone(zone, rule_of(zone->name()));
  } catch (const std::exception&) {
    return error(ec::invalid_argument, "'" + std::string(name.substr(0, 80)) + "' is no time zone that this machine's tzdata knows; they look like Europe/Berlin");
  }
}

// Debian's tzdata has it in the first line of this file only, where the library does not look: "# version 2026b".
std::string time_zone::version() {
  static const std::string found = [] {
    std::ifstream file("/usr/share/zoneinfo/tzdata.zi");
    std::string hash, word, release;
    file >> hash >> word >> release;
    return word == "version" && !release.empty() ? release : date::get_tzdb().version;
  }();
  return found;
}

time_zone::stretch time_zone::at(std::chrono::sys_seconds t) const {
  const auto info = zone_->get_info(t);
  // What the list says of its last stretch has no end; years after any that we schedule for.
  constexpr auto for_ever = std::chrono::sys_days(std::chrono::year(2100) / 1 / 1);
  if (!after_ || info.end < for_ever) return {info.begin, info.end, info.offset};
  const auto rule = after_->at(t);
  return {std::max<std::chrono::sys_seconds>(info.begin, rule.begin), rule.end, rule.offset};
}

} // namespace taskmaster
