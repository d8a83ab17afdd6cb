// rrule::parse: text to parts. Each part is checked by itself, then what may stand beside what (the table in RFC 5545, 3.3.10).
#include "schema/rrule.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <numeric>

namespace taskmaster {
namespace {

constexpr std::int64_t count_most = 10'000;
constexpr std::size_t text_most = 512;
constexpr std::int64_t long_interval_most = 1'000;
constexpr std::size_t times_a_day_most = 1'440, times_to_pick_from_most = 100;
constexpr std::array<std::string_view, 7> frequencies{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"};
constexpr std::array<std::string_view, 7> weekday_names{"SU", "MO", "TU", "WE", "TH", "FR", "SA"};

std::vector<std::string_view> split(std::string_view text, char sign) {
  std::vector<std::string_view> out;
  for (std::size_t at; (at = text.find(sign)) != text.npos; text.remove_prefix(at + 1)) out.push_back(text.substr(0, at));
  out.push_back(text);
  return out;
}

std::optional<std::int64_t> whole(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t n = 0;
  const auto [end, broken] = std::from_chars(text.data(), text.data() + text.size(), n);
  return broken == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(n) : std::nullopt;
}

template <class Names>
std::optional<std::size_t> place_of(const Names& names, std::string_view name) {
  const auto at = std::find(names.begin(), names.end(), name);
  return at == names.end() ? std::nullopt : std::optional(static_cast<std::size_t>(at - names.begin()));
}

} // namespace

class rrule_reader {
public:
  explicit rrule_reader(local_seconds start) { out_.start_ = start; }

  expected<rrule> read(std::string_view given) {
    std::string text;
    for (const char c : given) text += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (text.starts_with("RRULE:")) text.erase(0, 6);
    if (text.size() > text_most) return bad("has more than " + std::to_string(text_most) + " characters");
    if (text.find_first_of(":\r\n") != text.npos) return bad("takes one RRULE; what DTSTART says belongs into anchor, and EXDATE and RDATE are not taken");
    if (text.ends_with(';')) text.pop_back();
    std::map<std::string_view, std::string_view> parts;
    for (const auto part : split(text, ';')) {
      const auto equals = part.find('=');
      if (equals == part.npos) return bad("has '" + std::string(part.substr(0, 40)) + "', which is no NAME=VALUE; it looks like FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9");
      if (!parts.emplace(part.substr(0, equals), part.substr(equals + 1)).second) return bad("has " + std::string(part.substr(0, equals)) + " twice");
    }
    for (const auto& [name, value] : parts) take(name, value);
    if (!parts.contains("FREQ")) fault("has no FREQ; it says the period, such as FREQ=WEEKLY");
    if (fault_.empty()) judge(parts);
    if (!fault_.empty()) return bad(fault_);
    complete();
    judge_times();
    if (!fault_.empty()) return bad(fault_);
    out_.never_ = !meets_the_clock();
    if (count_) {
      std::vector<local_seconds> all;
      const auto end = out_.start_ + std::chrono::days(36'525);
      for (auto t = out_.search(out_.start_, end); t && static_cast<std::int64_t>(all.size()) < *count_; t = out_.search(*t + std::chrono::seconds(1), end))
        all.push_back(*t);
      out_.counted_ = std::move(all);
    }
    return std::move(out_);
  }

private:
  static error bad(std::string why) { return error(ec::invalid_argument, std::move(why)); }
  void fault(std::string why) {
    if (fault_.empty()) fault_ = std::move(why);
  }

  void numbers(std::string_view name, std::string_view value, int low, int high, bool from_end, std::vector<int>& to) {
    for (const auto one : split(value, ',')) {
      const auto n = whole(one);
      const auto size = n ? (from_end && *n < 0 ? -*n : *n) : -1;
      if (!n || size < low || size > high)
        return fault(std::string(name) + " has '" + std::string(one.substr(0, 20)) + "'; it takes " + std::to_string(low) + " to " + std::to_string(high) +
                     (from_end ? ", or as many from the end with a minus" : ""));
      to.push_back(static_cast<int>(*n));
    }
    std::sort(to.begin(), to.end());
    to.erase(std::unique(to.begin(), to.end()), to.end());
  }

  void take(std::string_view name, std::string_view value) {
    auto& r = out_;
    if (name == "FREQ") {
      const auto place = place_of(frequencies, value);
      if (!place) return fault("FREQ has to be YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY or SECONDLY");
      r.freq_ = static_cast<rrule::period>(*place);
    } else if (name == "INTERVAL" || name == "COUNT") {
      const auto most = name == "COUNT" ? count_most : 1'000'000;
      const auto n = whole(value);
      if (!n || *n < 1 || *n > most) return fault(std::string(name) + " has to be 1 to " + std::to_string(most));
      if (name == "COUNT") count_ = n;
      else r.interval_ = *n;
    } else if (name == "UNTIL") until(value);
    else if (name == "WKST") {
      const auto place = place_of(weekday_names, value);
      if (!place) return fault("WKST has to be one of MO, TU, WE, TH, FR, SA and SU");
      r.week_start_ = std::chrono::weekday(static_cast<unsigned>(*place));
    } else if (name == "BYSECOND") numbers(name, value, 0, 59, false, r.seconds_);
    else if (name == "BYMINUTE") numbers(name, value, 0, 59, false, r.minutes_);
    else if (name == "BYHOUR") numbers(name, value, 0, 23, false, r.hours_);
    else if (name == "BYMONTHDAY") numbers(name, value, 1, 31, true, r.month_days_);
    else if (name == "BYYEARDAY") numbers(name, value, 1, 366, true, r.year_days_);
    else if (name == "BYWEEKNO") numbers(name, value, 1, 53, true, r.weeks_);
    else if (name == "BYMONTH") numbers(name, value, 1, 12, false, r.months_);
    else if (name == "BYSETPOS") numbers(name, value, 1, 366, true, r.positions_);
    else if (name == "BYDAY") weekdays(value);
    else fault("has '" + std::string(name.substr(0, 40)) + "', which is no part of a rule");
  }

  void weekdays(std::string_view value) {
    for (const auto one : split(value, ',')) {
      const auto place = one.size() < 2 ? std::nullopt : place_of(weekday_names, one.substr(one.size() - 2));
      const auto count = one.substr(0, one.size() < 2 ? 0 : one.size() - 2);
      const auto n = count.empty() ? std::optional<std::int64_t>(0) : whole(count);
      if (!place || !n || (!count.empty() && (*n == 0 || *n < -53 || *n > 53)))
        return fault("BYDAY has '" + std::string(one.substr(0, 20)) + "'; it takes MO, TU, WE, TH, FR, SA, SU, and 1MO (the first) or -1FR (the last)");
      out_.weekdays_.push_back({static_cast<int>(*n), static_cast<unsigned>(*place)});
    }
  }

  /// 20301231, 20301231T090000 or 20301231T080000Z.
  void until(std::string_view value) {
    const auto utc = value.ends_with('Z');
    if (utc) value.remove_suffix(1);
    const auto digits = [](std::string_view part) { return std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c); }); };
    const bool date = value.size() == 8 && digits(value) && !utc;
    if (!date && !(value.size() == 15 && value[8] == 'T' && digits(value.substr(0, 8)) && digits(value.substr(9))))
      return fault("UNTIL has to look like 20301231, 20301231T090000 (the zone's time) or 20301231T080000Z");
    const auto n = [&](std::size_t at, std::size_t size) { return static_cast<int>(*whole(value.substr(at, size))); };
    const auto day = std::chrono::year(n(0, 4)) / n(4, 2) / n(6, 2);
    if (!day.ok() || (!date && (n(9, 2) > 23 || n(11, 2) > 59 || n(13, 2) > 59))) return fault("UNTIL is no date and time that there is");
    const auto t = std::chrono::local_days(day) + std::chrono::seconds(date ? 0 : n(9, 2) * 3600 + n(11, 2) * 60 + n(13, 2));
    if (utc) out_.until_utc_ = std::chrono::sys_seconds(t.time_since_epoch());
    else out_.until_ = t;
  }

  void judge(const std::map<std::string_view, std::string_view>& parts) {
    const auto& r = out_;
    using p = rrule::period;
    const bool nth = std::any_of(r.weekdays_.begin(), r.weekdays_.end(), [](const auto& d) { return d.n != 0; });
    const bool plain = std::any_of(r.weekdays_.begin(), r.weekdays_.end(), [](const auto& d) { return d.n == 0; });
    if (r.freq_ <= p::month && r.interval_ > long_interval_most) fault("INTERVAL of years or months has to be 1 to " + std::to_string(long_interval_most));
    if (count_ && parts.contains("UNTIL")) fault("COUNT and UNTIL cannot stand in one rule");
    if (!r.weeks_.empty() && r.freq_ != p::year) fault("BYWEEKNO goes with FREQ=YEARLY only");
    if (!r.year_days_.empty() && (r.freq_ == p::month || r.freq_ == p::week || r.freq_ == p::day)) fault("BYYEARDAY does not go with FREQ=MONTHLY, WEEKLY or DAILY");
    if (!r.month_days_.empty() && r.freq_ == p::week) fault("BYMONTHDAY does not go with FREQ=WEEKLY");
    if (nth && r.freq_ > p::month) fault("BYDAY with a number goes with FREQ=MONTHLY and YEARLY only");
    if (nth && !r.weeks_.empty()) fault("BYDAY with a number does not go with BYWEEKNO");
    if (nth && plain) fault("BYDAY has days with and without a number");
    if (!r.positions_.empty() && std::none_of(parts.begin(), parts.end(), [](const auto& part) { return part.first.starts_with("BY") && part.first != "BYSETPOS"; }))
      fault("BYSETPOS picks from what another BY… names, and there is none");
  }

  /// Times that a day may have. A search lists them, with BYSETPOS for a whole period.
  void judge_times() {
    const auto& r = out_;
    if (r.freq_ >= rrule::period::hour) return;
    const auto most = r.positions_.empty() ? times_a_day_most : times_to_pick_from_most;
    if (r.hours_.size() * r.minutes_.size() * r.seconds_.size() > most)
      fault("BYHOUR, BYMINUTE and BYSECOND name more than " + std::to_string(most) + " times a day" +
            (r.positions_.empty() ? "; FREQ=HOURLY, MINUTELY or SECONDLY says that shorter" : ", which is the limit beside BYSETPOS"));
  }

  /// An interval of seconds, minutes or hours comes to certain times of the day only: whether BYHOUR, BYMINUTE and BYSECOND name one of
  /// them is settled here. A search would try each period of a hundred years.
  bool meets_the_clock() const {
    const auto& r = out_;
    if (r.freq_ < rrule::period::hour) return true;
    const std::int64_t unit = r.freq_ == rrule::period::hour ? 3600 : r.freq_ == rrule::period::minute ? 60 : 1, day = 86'400;
    const auto raster = std::gcd(r.interval_ * unit, day);
    const auto of_day = (r.start_ - std::chrono::floor<std::chrono::days>(r.start_)).count();
    const auto named = [](const std::vector<int>& list, std::int64_t value) {
      return list.empty() || std::binary_search(list.begin(), list.end(), static_cast<int>(value));
    };
    for (auto t = of_day / unit * unit % raster; t < day; t += raster)
      if (named(r.hours_, t / 3600) && (unit > 60 || named(r.minutes_, t / 60 % 60)) && (unit > 1 || named(r.seconds_, t % 60))) return true;
    return false;
  }

  /// What is not named comes from the start.
  void complete() {
    auto& r = out_;
    using p = rrule::period;
    const auto day = std::chrono::floor<std::chrono::days>(r.start_);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<std::chrono::seconds> clock(r.start_ - day);
    r.hours_named_ = !r.hours_.empty();
    if (r.hours_.empty() && r.freq_ < p::hour) r.hours_ = {static_cast<int>(clock.hours().count())};
    if (r.minutes_.empty() && r.freq_ < p::minute) r.minutes_ = {static_cast<int>(clock.minutes().count())};
    if (r.seconds_.empty() && r.freq_ < p::second) r.seconds_ = {static_cast<int>(clock.seconds().count())};
    if (!r.weeks_.empty() || !r.year_days_.empty() || !r.month_days_.empty() || !r.weekdays_.empty()) return;
    if (r.freq_ == p::year && r.months_.empty()) r.months_ = {static_cast<int>(static_cast<unsigned>(date.month()))};
    if (r.freq_ <= p::month) r.month_days_ = {static_cast<int>(static_cast<unsigned>(date.day()))};
    if (r.freq_ == p::week) r.weekdays_ = {{0, std::chrono::weekday(day).c_encoding()}};
  }

  rrule out_;
  std::optional<std::int64_t> count_;
  std::string fault_;
};

expected<rrule> rrule::parse(std::string_view text, local_seconds start) { return rrule_reader(start).read(text); }

} // namespace taskmaster
