#include "schema/time.hpp"

#include "tests/catch.hpp"

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {
std::string read_time(std::string_view text) {
  auto t = parse_timestamp(text);
  return t ? format_timestamp(*t) : "refused";
}
std::string read_length(std::string_view text) {
  auto d = parse_duration(text);
  return d ? std::to_string(d->count()) : "refused";
}
} // namespace

TEST_CASE("a time is read with its offset and shown in UTC with microseconds") {
  CHECK(read_time("2023-12-25T22:34:00+05:30") == "2023-12-25T17:04:00.000000Z");
  CHECK(read_time("2023-12-25T22:34:00Z") == "2023-12-25T22:34:00.000000Z");
  CHECK(read_time("2023-12-25t22:34:00z") == "2023-12-25T22:34:00.000000Z");
  CHECK(read_time("2023-12-25 22:34:00-01:00") == "2023-12-25T23:34:00.000000Z");
  CHECK(read_time("2024-02-29T00:00:00.5Z") == "2024-02-29T00:00:00.500000Z");
  CHECK(read_time("1969-12-31T23:59:59.999999Z") == "1969-12-31T23:59:59.999999Z");
  CHECK(read_time("0001-01-01T00:00:00Z") == "0001-01-01T00:00:00.000000Z");
  CHECK(read_time("9999-12-31T23:59:59.999999999Z") == "9999-12-31T23:59:59.999999Z");
}

TEST_CASE("a fraction finer than a microsecond is cut, not rounded") {
  CHECK(read_time("2024-01-01T00:00:00.123456789Z") == "2024-01-01T00:00:00.123456Z");
  CHECK(read_time("2024-01-01T00:00:00.000000999Z") == "2024-01-01T00:00:00.000000Z");
}

TEST_CASE("second 60 is the next second") {
  CHECK(read_time("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00.000000Z");
  CHECK(read_time("2016-12-31T23:59:60.25Z") == "2017-01-01T00:00:00.250000Z");
}

TEST_CASE("times that are not quite RFC 3339 are refused") {
  for (auto text : {"",
                    "now",
                    "2023-12-25",
                    "2023-12-25T22:34:00",
                    "2023-12-25T22:34Z",
                    "2023-02-29T00:00:00Z",
                    "2023-13-01T00:00:00Z",
                    "2023-00-10T00:00:00Z",
                    "2023-01-01T24:00:00Z",
                    "2023-01-01T00:60:00Z",
                    "2023-01-01T00:00:61Z",
                    "2023-01-01T00:00:00.Z",
                    "2023-01-01T00:00:00.1234567890Z",
                    "2023-01-01T00:00:00+0530",
                    "2023-01-01T00:00:00+24:00",
                    "2023-01-01T00:00:00Zjunk",
                    "+2023-01-01T00:00:00Z",
                    "0000-01-01T00:00:00Z",
                    "0001-01-01T00:00:00+01:00",
                    "9999-12-31T23:59:60Z",
                    "2023-1-1T00:00:00Z",
                    "2023-01-01T00:00:00,5Z"}) {
    INFO(text);
    CHECK(read_time(text) == "refused");
  }
}

TEST_CASE("a time without an offset is told why") {
  auto t = parse_timestamp("2023-12-25T22:34:00");
  REQUIRE_FALSE(t);
  CHECK(t.failure().code == ec::invalid_argument);
  CHECK(t.failure().message.find("no offset") != std::string::npos);
}

TEST_CASE("a length is read from whole and decimal numbers with units") {
  CHECK(read_length("250ms") == "250000");
  CHECK(read_length("1.5s") == "1500000");
  CHECK(read_length("1h30m") == "5400000000");
  CHECK(read_length("0s") == "0");
  CHECK(read_length("7us") == "7");
  CHECK(read_length("1d") == "86400000000");
  CHECK(read_length("0.5d") == "43200000000");
  CHECK(read_length("1m1ms") == "60001000");
  CHECK(read_length("36525d") == "3155760000000000");
}

TEST_CASE("a length that is there never becomes none by cutting") {
  CHECK(read_length("0.5us") == "1");
  CHECK(read_length("1.0000009s") == "1000000");
  CHECK(read_length("0.0s") == "0");
}

TEST_CASE("lengths without number, unit or with a sign are refused") {
  for (auto text : {"", "5", "s", "-5s", "+5s", "5 s", "5sec", "1.s", ".5s", "1h30", "36526d",
                    "99999999999999999999s", "1e3s", "5S", "36525d1us"}) {
    INFO(text);
    CHECK(read_length(text) == "refused");
  }
}

TEST_CASE("a length is shown in the shortest form that reads back the same") {
  CHECK(format_duration(0s) == "0s");
  CHECK(format_duration(90min) == "1h30m");
  CHECK(format_duration(250ms) == "250ms");
  CHECK(format_duration(1500ms) == "1.5s");
  CHECK(format_duration(1us) == "1us");
  CHECK(format_duration(1001us) == "1.001ms");
  CHECK(format_duration(25h + 1us) == "1d1h1us");
  for (auto d :
       {1us, 999us, 123456us, 1234567us, 59999999us, 61000000us, 86400000000us, 3155760000000000us}) {
    auto back = parse_duration(format_duration(d));
    REQUIRE(back);
    CHECK(*back == d);
  }
}
