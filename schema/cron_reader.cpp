// cron::parse: text to sets. Each field is a list of parts; a part is a range with a step, or one of the day fields' own forms.
#include "schema/cron.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace taskmaster {
namespace {

struct field_kind {
  const char* name;
  unsigned low, high;
  std::array<const char*, 12> names; // of low, low + 1, …
};
constexpr field_kind second_field{"second", 0, 59, {}};
constexpr field_kind minute_field{"minute", 0, 59, {}};
constexpr field_kind hour_field{"hour", 0, 23, {}};
constexpr field_kind day_field{"day", 1, 31, {}};
constexpr field_kind month_field{"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}};
constexpr field_kind weekday_field{"weekday", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}};

/// FNV-1a: small, and the same on every machine and release, since what it picks is kept for years.
std::uint64_t hash_of(std::string_view a, std::string_view b) {
  std::uint64_t h = 14695981039346656037u;
  for (const auto part : {a, std::string_view("/"), b})
    for (const unsigned char c : part) h = (h ^ c) * 1099511628211u;
  return h ^ (h >> 29);
}

std::vector<std::string_view> split(std::string_view text, char sign) {
  std::vector<std::string_view> out;
  while (true) {
    const auto at = text.find(sign);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::optional<unsigned> number(std::string_view text) {
  if (text.empty() || text.size() > 3 || !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); })) return {};
  unsigned n = 0;
  for (const char c : text) n = n * 10 + static_cast<unsigned>(c - '0');
  return n;
}

} // namespace

class cron_reader {
public:
  explicit cron_reader(std::string_view seed) : seed_(seed) {}

  expected<cron> read(std::string_view text) {
    std::string low;
    for (const char c : text) low += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (low.size() > 256) return error(ec::invalid_argument, "a cron expression has at most 256 characters");
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> words{{{"@yearly", "0 0 1 1 *"},
                                                                                        {"@annually", "0 0 1 1 *"},
                                                                                        {"@monthly", "0 0 1 * *"},
                                                                                        {"@weekly", "0 0 * * 0"},
                                                                                        {"@daily", "0 0 * * *"},
                                                                                        {"@midnight", "0 0 * * *"},
                                                                                        {"@hourly", "0 * * * *"}}};
    for (const auto& [word, meaning] : words)
      if (low == word) low = meaning;
    if (low.starts_with('@')) return error(ec::invalid_argument, "'" + low + "' is none of @yearly, @monthly, @weekly, @daily and @hourly");
    std::vector<std::string_view> fields;
    for (const auto f : split(low, ' '))
      if (!f.empty()) fields.push_back(f);
    if (fields.size() != 5 && fields.size() != 6)
      return error(ec::invalid_argument, "a cron expression has five fields (minute hour day month weekday), or six with seconds before them; this one has " +
                                             std::to_string(fields.size()));
    std::size_t at = 0;
    if (fields.size() == 6) simple(second_field, fields[at++], out_.seconds_);
    else out_.seconds_.set(0);
    simple(minute_field, fields[at++], out_.minutes_);
    out_.every_hour_ = fields[at].starts_with('*') || fields[at] == "?";
    simple(hour_field, fields[at++], out_.hours_);
    out_.any_day_ = fields[at].starts_with('*') || fields[at] == "?";
    day(fields[at++]);
    simple(month_field, fields[at++], out_.months_);
    out_.any_weekday_ = fields[at].starts_with('*') || fields[at] == "?";
    weekday(fields[at]);
    if (fault_) return *fault_;
    return out_;
  }

private:
  void refuse(const field_kind& kind, std::string_view part, const std::string& why) {
    if (!fault_) fault_ = error(ec::invalid_argument, std::string(kind.name) + " '" + std::string(part) + "' " + why);
  }

  std::optional<unsigned> value(const field_kind& kind, std::string_view text, std::string_view part) {
    for (unsigned n = 0; n < kind.names.size() && kind.names[n]; ++n)
      if (text == kind.names[n]) return kind.low + n;
    const auto n = number(text);
    if (!n) refuse(kind, part, "is not of cron's form: numbers, names, *, lists, ranges and steps");
    else if (*n < kind.low || *n > kind.high)
      refuse(kind, part, "is out of range, it is " + std::to_string(kind.low) + " to " + std::to_string(kind.high));
    return fault_ ? std::nullopt : n;
  }

  /// One part without a form of its own: *, a, a-b, a~b, ~, each with /step.
  template <std::size_t N>
  void range(const field_kind& kind, std::string_view part, std::bitset<N>& set) {
    const auto slash = part.find('/');
    const auto body = part.substr(0, slash);
    unsigned step = 1;
    if (slash != std::string_view::npos) {
      const auto n = number(part.substr(slash + 1));
      if (!n || *n == 0) return refuse(kind, part, "has a step that is no whole number from 1");
      step = *n;
    }
    unsigned low = kind.low, high = kind.high;
    if (&kind == &weekday_field) high = 6;
    if (const auto tilde = body.find('~'); tilde != std::string_view::npos) {
      if (body != "~") {
        const auto a = value(kind, body.substr(0, tilde), part), b = value(kind, body.substr(tilde + 1), part);
        if (!a || !b) return;
        low = *a, high = *b;
      }
      if (low > high) return refuse(kind, part, "has a range that ends before it begins");
      if (slash != std::string_view::npos) return refuse(kind, part, "has a step after ~, which picks one value");
      return set_one(kind, low + static_cast<unsigned>(hash_of(seed_, kind.name) % (high - low + 1)), set);
    }
    if (body != "*" && body != "?") {
      const auto dash = body.find('-');
      const auto a = value(kind, body.substr(0, dash), part);
      if (!a) return;
      low = *a;
      if (dash != std::string_view::npos) {
        const auto b = value(kind, body.substr(dash + 1), part);
        if (!b) return;
        high = *b;
      } else if (slash == std::string_view::npos) {
        high = low;
      }
      if (low > high) return refuse(kind, part, "has a range that ends before it begins");
    }
    for (unsigned n = low; n <= high; n += step) set_one(kind, n, set);
  }

  template <std::size_t N>
  void set_one(const field_kind& kind, unsigned n, std::bitset<N>& set) {
    set.set(&kind == &weekday_field ? n % 7 : n);
  }

  template <std::size_t N>
  void simple(const field_kind& kind, std::string_view text, std::bitset<N>& set) {
    for (const auto part : split(text, ',')) range(kind, part, set);
  }

  void day(std::string_view text) {
    for (const auto part : split(text, ',')) {
      if (part == "l") out_.before_last_.push_back(0);
      else if (part == "lw") out_.nearest_.push_back(0);
      else if (part.starts_with("l-")) {
        const auto n = number(part.substr(2));
        if (!n || *n > 30) return refuse(day_field, part, "has to be L-1 to L-30");
        out_.before_last_.push_back(static_cast<int>(*n));
      } else if (part.ends_with('w')) {
        const auto n = value(day_field, part.substr(0, part.size() - 1), part);
        if (!n) return;
        out_.nearest_.push_back(*n);
      } else range(day_field, part, out_.days_);
    }
  }

  void weekday(std::string_view text) {
    for (const auto part : split(text, ',')) {
      const auto sign = part.find('#');
      const bool last = part.size() > 1 && part.ends_with('l');
      if (sign == std::string_view::npos && !last) {
        range(weekday_field, part, out_.weekdays_);
        continue;
      }
      const auto n = value(weekday_field, last ? part.substr(0, part.size() - 1) : part.substr(0, sign), part);
      if (!n) return;
      int week = -1;
      if (!last) {
        const auto w = number(part.substr(sign + 1));
        if (!w || *w < 1 || *w > 5) return refuse(weekday_field, part, "has to name the first to the fifth: #1 to #5");
        week = static_cast<int>(*w);
      }
      out_.nth_.push_back({*n % 7, week});
    }
  }

  std::string_view seed_;
  cron out_;
  std::optional<error> fault_;
};

expected<cron> cron::parse(std::string_view text, std::string_view name) { return cron_reader(name).read(text); }

} // namespace taskmaster
