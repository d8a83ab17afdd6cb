// RRULE: what is taken and refused, and searches that end. That the instants are right python3-dateutil says (tests/schedules).
#include "schema/recurrence.hpp"
#include "tests/catch.hpp"

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

const local_seconds start = std::chrono::local_days(std::chrono::year(2026) / 3 / 4) + 9h + 30min; // a Wednesday

std::string fault(const std::string& text) {
  const auto r = rrule::parse(text, start);
  return r ? "" : r.failure().message;
}

std::string next(const std::string& text, std::chrono::days after = std::chrono::days(0)) {
  const auto r = rrule::parse(text, start);
  if (!r) return r.failure().message;
  const auto t = r->next(start + after, start + std::chrono::days(36'525));
  return t ? format_timestamp(timestamp(t->time_since_epoch())).substr(0, 19) : "never";
}

expected<recurrence> made(const std::string& text, std::optional<timestamp> anchor, const std::string& zone = "UTC") {
  recurrence_spec s;
  s.rrule = text;
  s.anchor = anchor;
  s.timezone = zone;
  return recurrence::make(s, "s");
}

} // namespace

TEST_CASE("rrule: parts that are not named come from the start, and the start need not match") {
  CHECK(next("FREQ=DAILY") == "2026-03-04T09:30:00");
  CHECK(next("RRULE:freq=weekly;byday=mo,fr;byhour=8;") == "2026-03-06T08:30:00");
  CHECK(next("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0") == "2026-03-27T17:00:00");
  CHECK(next("FREQ=YEARLY", std::chrono::days(1)) == "2027-03-04T09:30:00");
  CHECK(next("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO") == "2026-05-11T09:30:00");
  CHECK(next("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1") == "2026-03-31T09:30:00");
  CHECK(next("FREQ=DAILY;INTERVAL=10;COUNT=3", std::chrono::days(11)) == "2026-03-24T09:30:00");
  CHECK(next("FREQ=DAILY;INTERVAL=10;COUNT=3", std::chrono::days(21)) == "never");
  CHECK(next("FREQ=DAILY;UNTIL=20260305T093000", std::chrono::days(1)) == "2026-03-05T09:30:00");
  CHECK(next("FREQ=DAILY;UNTIL=20260305T092959", std::chrono::days(1)) == "never");
}

TEST_CASE("rrule: each fault names its part and what it takes") {
  CHECK(fault("FREQ=FORTNIGHTLY").find("FREQ has to be YEARLY") == 0);
  CHECK(fault("BYDAY=MO").find("has no FREQ") == 0);
  CHECK(fault("FREQ=DAILY;BYHOUR=24") == "BYHOUR has '24'; it takes 0 to 23");
  CHECK(fault("FREQ=MONTHLY;BYMONTHDAY=-32").find("BYMONTHDAY has '-32'; it takes 1 to 31, or as many from the end") == 0);
  CHECK(fault("FREQ=MONTHLY;BYMONTHDAY=0").find("BYMONTHDAY has '0'") == 0);
  CHECK(fault("FREQ=WEEKLY;BYDAY=XX").find("BYDAY has 'XX'") == 0);
  CHECK(fault("FREQ=WEEKLY;BYDAY=2MO").find("BYDAY with a number goes with") == 0);
  CHECK(fault("FREQ=DAILY;FREQ=DAILY") == "has FREQ twice");
  CHECK(fault("FREQ=DAILY;COLOUR=RED").find("has 'COLOUR'") == 0);
  CHECK(fault("FREQ=DAILY;HOURLY").find("has 'HOURLY', which is no NAME=VALUE") == 0);
  CHECK(fault("FREQ=DAILY;COUNT=0").find("COUNT has to be 1") == 0);
  CHECK(fault("FREQ=DAILY;COUNT=2;UNTIL=20300101").find("COUNT and UNTIL") == 0);
  CHECK(fault("FREQ=DAILY;UNTIL=20300230").find("UNTIL is no date") == 0);
  CHECK(fault("FREQ=DAILY;UNTIL=soon").find("UNTIL has to look like") == 0);
  CHECK(fault("FREQ=DAILY;BYWEEKNO=1").find("BYWEEKNO goes with") == 0);
  CHECK(fault("FREQ=DAILY;BYSETPOS=1").find("BYSETPOS picks from") == 0);
  CHECK(fault("DTSTART:20260101T000000\nRRULE:FREQ=DAILY").find("takes one RRULE") == 0);
  CHECK_FALSE(fault("FREQ=DAILY;BYHOUR=" + std::string(600, '1')).empty());
  CHECK_FALSE(fault("").empty());
  CHECK(fault("FREQ=YEARLY;INTERVAL=1001") == "INTERVAL of years or months has to be 1 to 1000");
  std::string all = "0";
  for (int i = 1; i < 60; ++i) all += "," + std::to_string(i);
  CHECK(fault("FREQ=DAILY;BYMINUTE=" + all + ";BYSECOND=" + all).find("name more than 1440 times a day") != std::string::npos);
  CHECK(fault("FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=1;BYHOUR=1,2;BYMINUTE=" + all).find("more than 100 times a day, which is the limit beside BYSETPOS") !=
        std::string::npos);
  CHECK(made("FREQ=DAILY;COUNT=3", {}).failure().faults.at(0).field == "/rrule");
}

TEST_CASE("rrule: a rule that never matches ends its search") {
  for (const char* text : {"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5",
                           "FREQ=SECONDLY;INTERVAL=60;BYSECOND=30", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=WEEKLY;INTERVAL=2;BYMONTH=2;BYDAY=MO;BYSETPOS=300"}) {
    INFO(text);
    CHECK(next(text) == "never");
    const auto r = made(text, *parse_timestamp("2026-03-04T09:30:00Z"), "America/New_York");
    REQUIRE(r);
    CHECK_FALSE(r->next(*parse_timestamp("2026-03-04T09:30:00Z")));
  }
}

TEST_CASE("rrule: clock changes, and an UNTIL in UTC") {
  const auto berlin = [](const std::string& text, const char* after) {
    const auto r = made(text, *parse_timestamp("2026-01-01T02:30:00+01:00"), "Europe/Berlin");
    REQUIRE(r);
    const auto t = r->next(*parse_timestamp(after));
    return t ? format_timestamp(*t).substr(0, 16) : "never";
  };
  CHECK(berlin("FREQ=DAILY", "2026-03-28T12:00:00Z") == "2026-03-29T01:30"); // 2:30 is not there: 3:30 of summer
  CHECK(berlin("FREQ=DAILY", "2026-10-24T12:00:00Z") == "2026-10-25T00:30"); // the first of the two
  CHECK(berlin("FREQ=HOURLY", "2026-03-29T00:30:00Z") == "2026-03-29T01:30"); // elapsed time goes on
  CHECK(berlin("FREQ=DAILY;UNTIL=20260102T013000Z", "2026-01-01T02:00:00Z") == "2026-01-02T01:30");
  CHECK(berlin("FREQ=DAILY;UNTIL=20260102T012959Z", "2026-01-01T02:00:00Z") == "never");
}
