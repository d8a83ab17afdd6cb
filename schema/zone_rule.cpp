#include "schema/zone_rule.hpp"

#include <algorithm>
#include <array>

namespace taskmaster {
namespace {
using std::chrono::seconds;

class reader {
public:
  explicit reader(std::string_view text) : rest_(text) {}
  bool ended() const { return rest_.empty(); }
  bool failed() const { return failed_; }
  char next() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char c) {
    if (next() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void require(char c) { failed_ |= !take(c); }

  /// An abbreviation, quoted as <-02> or bare letters.
  void name() {
    const bool quoted = take('<');
    const auto end = quoted ? rest_.find('>') : std::min(rest_.find_first_of("0123456789+-,"), rest_.size());
    if (end == std::string_view::npos || end < 3) {
      failed_ = true;
      return;
    }
    rest_.remove_prefix(quoted ? end + 1 : end);
  }
  int number(int least, int most) {
    int value = 0, digits = 0;
    for (; next() >= '0' && next() <= '9' && digits < 3; ++digits) {
      value = value * 10 + (next() - '0');
      rest_.remove_prefix(1);
    }
    failed_ |= digits == 0 || value < least || value > most;
    return value;
  }
  /// [+-]hh[:mm[:ss]]
  seconds time() {
    const int sign = take('-') ? -1 : (take('+'), 1);
    int total = number(0, 167) * 3600;
    if (take(':')) total += number(0, 59) * 60;
    if (take(':')) total += number(0, 59);
    return seconds(sign * total);
  }
  zone_rule::change change() {
    zone_rule::change c;
    require(',');
    if (take('M')) {
      c.month = unsigned(number(1, 12));
      require('.');
      c.week = unsigned(number(1, 5));
      require('.');
      c.weekday = unsigned(number(0, 6));
    } else if (take('J')) {
      c.how = zone_rule::change::kind::julian;
      c.day = number(1, 365);
    } else {
      c.how = zone_rule::change::kind::zero_based;
      c.day = number(0, 365);
    }
    if (take('/')) c.at = time();
    return c;
  }

private:
  std::string_view rest_;
  bool failed_ = false;
};

std::chrono::sys_days day_of(const zone_rule::change& c, std::chrono::year year) {
  using namespace std::chrono;
  const sys_days first = year / 1 / 1;
  switch (c.how) {
    case zone_rule::change::kind::julian: return first + days(c.day - 1 + (year.is_leap() && c.day >= 60 ? 1 : 0));
    case zone_rule::change::kind::zero_based: return first + days(c.day);
    case zone_rule::change::kind::month_week_day: break;
  }
  const weekday day(c.weekday);
  if (c.week == 5) return year / month(c.month) / day[last];
  return year / month(c.month) / day[c.week];
}

} // namespace

std::optional<zone_rule> zone_rule::parse(std::string_view text) {
  reader r(text);
  zone_rule rule;
  r.name();
  rule.standard = -r.time(); // POSIX counts west of Greenwich
  if (r.failed() || r.ended()) return {};
  r.name();
  rule.summer = r.next() == ',' ? rule.standard + std::chrono::hours(1) : -r.time();
  rule.to_summer = r.change();
  rule.to_standard = r.change();
  if (r.failed() || !r.ended()) return {};
  return rule;
}

zone_rule::stretch zone_rule::at(std::chrono::sys_seconds t) const {
  struct moment {
    std::chrono::sys_seconds at;
    seconds then;
  };
  const auto year = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(t)).year();
  // Two years on either side, so that t lies between two of them however far the local time is from UTC.
  std::array<moment, 10> moments;
  for (int i = 0; i < 5; ++i) {
    const auto y = year + std::chrono::years(i - 2);
    moments[size_t(2 * i)] = {day_of(to_summer, y) + to_summer.at - standard, summer};
    moments[size_t(2 * i + 1)] = {day_of(to_standard, y) + to_standard.at - summer, standard};
  }
  std::sort(moments.begin(), moments.end(), [](const moment& a, const moment& b) { return a.at < b.at; });
  const auto after = std::upper_bound(moments.begin(), moments.end(), t, [](auto at, const moment& m) { return at < m.at; });
  return {std::prev(after)->at, after->at, std::prev(after)->then};
}

} // namespace taskmaster
