#include "schema/recurrence.hpp"
#include "tests/catch.hpp"

#include <set>

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

timestamp at(const char* text) { return *parse_timestamp(text); }

recurrence of_cron(const std::string& text, const std::string& zone = "UTC", const std::string& name = "s") {
  recurrence_spec s;
  s.cron = text;
  s.timezone = zone;
  auto r = recurrence::make(s, name);
  REQUIRE(r);
  return *r;
}

std::string next(const recurrence& r, const char* after) {
  const auto t = r.next(at(after));
  return t ? format_timestamp(*t).substr(0, 19) : "never";
}

std::string fault(const std::string& text) {
  const auto c = cron::parse(text, "s");
  return c ? "" : c.failure().message;
}

std::size_t count(const recurrence& r, const char* after, const char* until) { return instants_between(r, at(after), at(until), 1'000'000).size(); }

} // namespace

TEST_CASE("cron: a year of */5 * * * * is exactly 105,120 instants, a leap year 105,408") {
  const auto r = of_cron("*/5 * * * *");
  CHECK(count(r, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z") == 105'120);
  CHECK(count(r, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z") == 105'408);
  CHECK(count(of_cron("*/5 * * * *", "Europe/Berlin"), "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z") == 105'120);
}

TEST_CASE("cron: seconds, names, steps, the last day, the nearest weekday, the second Monday") {
  CHECK(next(of_cron("*/5 * * * * *"), "2026-01-01T00:00:03Z") == "2026-01-01T00:00:05");
  CHECK(next(of_cron("0 9 * JAN,jul MON-FRI"), "2026-02-01T00:00:00Z") == "2026-07-01T09:00:00");
  CHECK(next(of_cron("0 0 L * *"), "2024-02-01T00:00:00Z") == "2024-02-29T00:00:00");
  CHECK(next(of_cron("0 0 L-3 * *"), "2025-02-01T00:00:00Z") == "2025-02-25T00:00:00");
  CHECK(next(of_cron("0 0 15W * *"), "2026-08-01T00:00:00Z") == "2026-08-14T00:00:00"); // the 15th is a Saturday
  CHECK(next(of_cron("0 0 1W * *"), "2026-07-31T00:00:00Z") == "2026-08-03T00:00:00");  // not back into July
  CHECK(next(of_cron("0 0 * * MON#2"), "2026-01-01T00:00:00Z") == "2026-01-12T00:00:00");
  CHECK(next(of_cron("0 0 * * 5L"), "2026-01-01T00:00:00Z") == "2026-01-30T00:00:00");
  CHECK(next(of_cron("@monthly"), "2026-01-01T00:00:00Z") == "2026-02-01T00:00:00");
  CHECK(next(of_cron("0 0 29 2 *"), "2096-03-01T00:00:00Z") == "2104-02-29T00:00:00"); // 2100 is no leap year
}

TEST_CASE("cron: day and weekday both restricted match either, as in Vixie cron; one that begins with * restricts nothing") {
  const auto r = of_cron("0 0 13 * FRI");
  CHECK(next(r, "2026-01-01T00:00:00Z") == "2026-01-02T00:00:00"); // a Friday
  CHECK(next(r, "2026-01-09T00:00:00Z") == "2026-01-13T00:00:00"); // a Tuesday, the 13th
  CHECK(next(of_cron("0 0 */2 * FRI"), "2026-01-01T00:00:00Z") == "2026-01-09T00:00:00");
}

TEST_CASE("cron: ~ picks one value by the schedule's name, always the same, and spreads a thousand of them") {
  std::set<std::string> minutes;
  for (int n = 0; n < 1'000; ++n) {
    const auto name = "report-" + std::to_string(n);
    const auto one = next(of_cron("~ * * * *", "UTC", name), "2026-01-01T00:00:00Z");
    CHECK(one == next(of_cron("~ * * * *", "UTC", name), "2026-01-01T00:00:00Z"));
    minutes.insert(one);
  }
  CHECK(minutes.size() == 60);
  for (int n = 0; n < 50; ++n) {
    const auto hour = next(of_cron("0 9~17 * * *", "UTC", std::to_string(n)), "2026-01-01T00:00:00Z").substr(11, 2);
    CHECK((hour >= "09" && hour <= "17"));
  }
}

TEST_CASE("cron: 30 February is taken, never fires, and says so") {
  const auto r = of_cron("0 0 30 2 *");
  CHECK(next(r, "2026-01-01T00:00:00Z") == "never");
  REQUIRE(r.warnings().size() == 1);
  CHECK(of_cron("0 0 29 2 *").warnings().empty());
}

TEST_CASE("cron: a refusal names the field, what is wrong and what it takes") {
  CHECK(fault("61 * * * *") == "minute '61' is out of range, it is 0 to 59");
  CHECK(fault("* 24 * * *") == "hour '24' is out of range, it is 0 to 23");
  CHECK(fault("* * 0 * *") == "day '0' is out of range, it is 1 to 31");
  CHECK(fault("* * * 13 *") == "month '13' is out of range, it is 1 to 12");
  CHECK(fault("* * * * 8") == "weekday '8' is out of range, it is 0 to 7");
  CHECK(fault("*/0 * * * *").find("step") != std::string::npos);
  CHECK(fault("30-10 * * * *").find("ends before it begins") != std::string::npos);
  CHECK(fault("* * * * MON#6").find("#1 to #5") != std::string::npos);
  CHECK(fault("* * * *").find("this one has 4") != std::string::npos);
  CHECK(fault("@reboot").find("@reboot") != std::string::npos);
  for (const char* text : {"", " ", ",", "a * * * *", "1,,2 * * * *", "1- * * * *", "-1 * * * *", "1/ * * * *", "9999999999 * * * *", "* * L-99 * *", "* * W * *",
                           "* * * * L", "* * * * #1", "~/2 * * * *", "\xff * * * *"})
    CHECK_FALSE(fault(text).empty());
}

TEST_CASE("daylight saving: a gap shifts or skips, an overlap runs once or twice, an hour of * means elapsed time") {
  recurrence_spec s;
  s.cron = "30 2 * * *";
  s.timezone = "Europe/Berlin"; // 29 March 2026: 2 to 3 h is missing; 25 October: 2 to 3 h comes twice
  auto r = *recurrence::make(s, "s");
  CHECK(next(r, "2026-03-28T12:00:00Z") == "2026-03-29T01:30:00"); // 3:30 on the wall
  CHECK(next(r, "2026-03-29T01:30:00Z") == "2026-03-30T00:30:00");
  CHECK(next(r, "2026-10-24T12:00:00Z") == "2026-10-25T00:30:00");
  CHECK(next(r, "2026-10-25T00:30:00Z") == "2026-10-26T01:30:00");
  s.gap_shift = false;
  s.overlap_both = true;
  r = *recurrence::make(s, "s");
  CHECK(next(r, "2026-03-28T12:00:00Z") == "2026-03-30T00:30:00");
  CHECK(next(r, "2026-10-25T00:30:00Z") == "2026-10-25T01:30:00");
  CHECK(count(of_cron("0 * * * *", "Europe/Berlin"), "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z") == 25);
}

TEST_CASE("every: from its anchor on, before and after it, whatever the wall clock does") {
  recurrence_spec s;
  s.every = 10min;
  s.anchor = at("2026-01-01T00:03:00Z");
  const auto r = *recurrence::make(s, "s");
  CHECK(next(r, "2026-01-01T00:03:00Z") == "2026-01-01T00:13:00");
  CHECK(next(r, "2026-01-01T00:02:59Z") == "2026-01-01T00:03:00");
  CHECK(next(r, "2025-12-31T23:59:00Z") == "2026-01-01T00:03:00");
  CHECK(next(r, "2025-12-31T23:52:00Z") == "2025-12-31T23:53:00");
}

TEST_CASE("starts_at and ends_at are inclusive") {
  recurrence_spec s;
  s.cron = "0 * * * *";
  s.starts_at = at("2026-01-01T10:00:00Z");
  s.ends_at = at("2026-01-01T12:00:00Z");
  const auto r = *recurrence::make(s, "s");
  CHECK(count(r, "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z") == 3);
  CHECK(next(r, "2020-01-01T00:00:00Z") == "2026-01-01T10:00:00");
  CHECK(next(r, "2026-01-01T12:00:00Z") == "never");
}

TEST_CASE("a recurrence is refused with the fields that are wrong") {
  recurrence_spec s;
  s.timezone = "Europe/Atlantis";
  s.starts_at = at("2026-01-02T00:00:00Z");
  s.ends_at = at("2026-01-01T00:00:00Z");
  const auto r = recurrence::make(s, "s");
  REQUIRE_FALSE(r);
  std::vector<std::string> fields;
  for (const auto& f : r.failure().faults) fields.push_back(f.field);
  CHECK(fields == std::vector<std::string>{"/cron", "/timezone", "/ends_at"});
}

TEST_CASE("after its last listed change a zone goes by the rule of its last line", "[recurrence]") {
  using namespace std::chrono;
  const auto offset = [](std::string_view rule, sys_seconds t) { return duration_cast<minutes>(zone_rule::parse(rule).value().at(t).offset).count(); };
  const sys_seconds january = sys_days(2040y / 1 / 15), july = sys_days(2040y / 7 / 15);
  CHECK(offset("CET-1CEST,M3.5.0,M10.5.0/3", january) == 60);
  CHECK(offset("CET-1CEST,M3.5.0,M10.5.0/3", july) == 120);
  CHECK(offset("IST-1GMT0,M10.5.0,M3.5.0/1", january) == 0); // Dublin's standard time is summer's
  CHECK(offset("IST-1GMT0,M10.5.0,M3.5.0/1", july) == 60);
  CHECK(offset("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", january) == 660);
  CHECK(offset("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", july) == 630);
  CHECK(offset("STD3DST,J60/0,300/0", sys_days(2040y / 3 / 1) + 3h - 1s) == -180); // J60 is 1 March in a leap year too
  CHECK(offset("STD3DST,J60/0,300/0", sys_days(2040y / 3 / 1) + 3h) == -120);
  const auto nuuk = zone_rule::parse("<-02>2<-01>,M3.5.0/-1,M10.5.0/0").value().at(july); // an hour before the last Sunday begins
  CHECK(nuuk.begin == sys_days(2040y / 3 / 25) + 1h);
  CHECK(nuuk.end == sys_days(2040y / 10 / 28) + 1h);
  for (auto rule : {"", "UTC0", "CET-1CEST", "CET-1CEST,M13.1.0,M10.5.0", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0 ", "<CET-1CEST,M3.5.0,M10.5.0"})
    CHECK_FALSE(zone_rule::parse(rule));
}

TEST_CASE("the release of the time zones is known by its name, such as 2026b") {
  const auto release = time_zone::version();
  REQUIRE(release.size() >= 5);
  CHECK(release.starts_with("20"));
}
