#include "schema/time.hpp"

#include <array>
#include <cstdio>
#include <limits>

namespace taskmaster {

namespace {

using namespace std::chrono;

constexpr sys_time<microseconds> first_instant = sys_days{year{1} / 1 / 1};
constexpr sys_time<microseconds> end_instant = sys_days{year{10'000} / 1 / 1};
constexpr duration longest = hours(24) * 36'525; // 100 years

error unreadable_time(std::string_view text, const char* fault) {
  constexpr std::size_t shown = 64; // a megabyte of nonsense need not come back
  return {ec::invalid_argument,
          "\"" + std::string(text.substr(0, shown)) + "\" is no RFC 3339 time: " + fault +
              "; write it like \"2023-12-25T22:34:00Z\" or \"2023-12-25T22:34:00+05:30\""};
}

error unreadable_length(std::string_view text, const char* fault) {
  constexpr std::size_t shown = 64;
  return {ec::invalid_argument, "\"" + std::string(text.substr(0, shown)) + "\" is no duration: " + fault +
                                    "; write numbers with us, ms, s, m, h or d, like \"250ms\" or \"1h30m\""};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes exactly `count` digits off the front; -1 when there are fewer.
int take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

struct unit {
  std::string_view name;
  std::int64_t us;
};
// "ms" before "m", since the longest name that fits is meant.
constexpr std::array<unit, 6> units{{{"us", 1},
                                     {"ms", 1'000},
                                     {"s", 1'000'000},
                                     {"m", 60'000'000},
                                     {"h", 3'600'000'000},
                                     {"d", 86'400'000'000}}};

std::string decimal(std::int64_t value, std::int64_t per_unit, int digits, const char* name) {
  auto text = std::to_string(value / per_unit);
  if (auto rest = value % per_unit) {
    auto fraction = std::to_string(rest);
    text += "." + std::string(static_cast<std::size_t>(digits) - fraction.size(), '0') + fraction;
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + name;
}

} // namespace

expected<timestamp> parse_timestamp(std::string_view text) {
  auto rest = text;
  int y = take_digits(rest, 4);
  bool form = y >= 0 && take(rest, '-');
  int mo = form ? take_digits(rest, 2) : -1;
  form = mo >= 0 && take(rest, '-');
  int d = form ? take_digits(rest, 2) : -1;
  form = d >= 0 && (take(rest, 'T') || take(rest, 't') || take(rest, ' '));
  int h = form ? take_digits(rest, 2) : -1;
  form = h >= 0 && take(rest, ':');
  int mi = form ? take_digits(rest, 2) : -1;
  form = mi >= 0 && take(rest, ':');
  int s = form ? take_digits(rest, 2) : -1;
  if (s < 0) return unreadable_time(text, "it does not have the form date, T, time");
  year_month_day date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
  if (y < 1 || !date.ok()) return unreadable_time(text, "there is no such day");
  if (h > 23 || mi > 59 || s > 60) return unreadable_time(text, "there is no such time of day");

  std::int64_t fraction = 0;
  if (take(rest, '.')) {
    std::size_t digits = 0;
    for (; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1), ++digits)
      if (digits < 6) fraction = fraction * 10 + (rest.front() - '0');
    if (digits == 0 || digits > 9)
      return unreadable_time(text, "its fraction has to have one to nine digits");
    for (; digits < 6; ++digits) fraction *= 10;
  }

  if (rest.empty())
    return unreadable_time(text, "it has no offset from UTC, so nobody can tell which zone is meant");
  minutes offset{0};
  if (!take(rest, 'Z') && !take(rest, 'z')) {
    bool west = rest.front() == '-';
    if (!take(rest, '-') && !take(rest, '+'))
      return unreadable_time(text, "its offset is neither Z nor like +05:30");
    int oh = take_digits(rest, 2);
    int om = oh >= 0 && take(rest, ':') ? take_digits(rest, 2) : -1;
    if (om < 0 || oh > 23 || om > 59) return unreadable_time(text, "its offset is neither Z nor like +05:30");
    offset = hours(oh) + minutes(om);
    if (west) offset = -offset;
  }
  if (!rest.empty()) return unreadable_time(text, "something follows it");

  timestamp t = sys_days{date} + hours(h) + minutes(mi) + seconds(s) + microseconds(fraction) - offset;
  if (t < first_instant || t >= end_instant)
    return unreadable_time(text, "in UTC it lies outside the years 0001 to 9999");
  return t;
}

std::string format_timestamp(timestamp t) {
  auto midnight = floor<days>(t);
  year_month_day date{midnight};
  auto in_day = (t - midnight).count();
  auto second = in_day / 1'000'000;
  std::array<char, 80> text;
  auto n = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                         static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                         static_cast<unsigned>(date.day()), static_cast<int>(second / 3600),
                         static_cast<int>(second / 60 % 60), static_cast<int>(second % 60),
                         static_cast<int>(in_day % 1'000'000));
  return {text.data(), static_cast<std::size_t>(n)};
}

expected<duration> parse_duration(std::string_view text) {
  if (text.empty()) return unreadable_length(text, "it is empty");
  auto rest = text;
  std::int64_t total = 0;
  bool something = false; // a digit other than 0 was there
  while (!rest.empty()) {
    std::int64_t whole = 0, fraction = 0, scale = 1;
    std::size_t digits = 0;
    for (; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1), ++digits) {
      whole = whole * 10 + (rest.front() - '0');
      something |= rest.front() != '0';
      if (whole > longest.count()) return unreadable_length(text, "it is longer than 100 years");
    }
    if (digits == 0)
      return unreadable_length(text, rest.front() == '-' || rest.front() == '+' ? "it has a sign"
                                                                                : "a number is missing");
    if (take(rest, '.')) {
      for (digits = 0; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1), ++digits) {
        something |= rest.front() != '0';
        if (scale < 100'000'000) { // further digits are below a microsecond of the day
          fraction = fraction * 10 + (rest.front() - '0');
          scale *= 10;
        }
      }
      if (digits == 0) return unreadable_length(text, "digits are missing after the point");
    }
    const unit* found = nullptr;
    for (const auto& u : units)
      if (rest.starts_with(u.name) && (!found || u.name.size() > found->name.size())) found = &u;
    if (!found) return unreadable_length(text, rest.empty() ? "it has no unit" : "there is no such unit");
    rest.remove_prefix(found->name.size());
    if (whole > longest.count() / found->us) return unreadable_length(text, "it is longer than 100 years");
    // fraction < 10^8 and a day has 8.64 * 10^10 us: the product stays below 2^63.
    total += whole * found->us + fraction * found->us / scale;
    if (total > longest.count()) return unreadable_length(text, "it is longer than 100 years");
  }
  // Zero often means "none", so a length that is there never becomes zero by cutting.
  return duration{total == 0 && something ? 1 : total};
}

std::string format_duration(duration d) {
  auto us = d.count();
  if (us == 0) return "0s";
  std::string text;
  if (us < 0) { // never read back: lengths have no sign; for logs only
    text = "-";
    us = us == std::numeric_limits<std::int64_t>::min() ? std::numeric_limits<std::int64_t>::max() : -us;
  }
  for (auto u : {units[5], units[4], units[3]}) {
    if (us >= u.us) text += std::to_string(us / u.us).append(u.name);
    us %= u.us;
  }
  if (us >= 1'000'000)
    text += decimal(us, 1'000'000, 6, "s");
  else if (us >= 1'000)
    text += decimal(us, 1'000, 3, "ms");
  else if (us > 0)
    text += std::to_string(us) + "us";
  return text;
}

} // namespace taskmaster
