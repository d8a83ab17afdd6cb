#include "actors/retry_after.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace taskmaster {

namespace {

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

} // namespace

std::optional<timestamp> parse_http_date(std::string_view text) {
  const std::string s(text);
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  char month[4] = "";
  // Sun, 06 Nov 1994 08:49:37 GMT | Sunday, 06-Nov-94 08:49:37 GMT | Sun Nov  6 08:49:37 1994
  if (std::sscanf(s.c_str(), "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute,
                  &second) != 6
      && std::sscanf(s.c_str(), "%*9[A-Za-z], %2d-%3[A-Za-z]-%4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute,
                     &second) != 6
      && std::sscanf(s.c_str(), "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d", month, &day, &hour, &minute, &second,
                     &year) != 6)
    return {};
  if (year < 100) year += year < 70 ? 2000 : 1900;
  const auto name = std::find(months.begin(), months.end(), month);
  if (name == months.end()) return {};
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(name - months.begin()) + 1),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return {};
  return timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute)
         + std::chrono::seconds(second);
}

std::optional<duration> parse_retry_after(std::string_view text, timestamp now) {
  constexpr duration longest = std::chrono::hours(24 * 365);
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (text.empty()) return {};
  if (text.find_first_not_of("0123456789") == text.npos) {
    if (text.size() > 9) return longest;
    return std::min<duration>(std::chrono::seconds(std::stol(std::string(text))), longest);
  }
  const auto date = parse_http_date(text);
  if (!date) return {};
  return std::clamp<duration>(*date - now, duration::zero(), longest);
}

} // namespace taskmaster
