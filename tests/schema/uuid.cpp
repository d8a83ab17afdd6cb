#include "schema/uuid.hpp"

#include "tests/catch.hpp"

#include <set>

using namespace taskmaster;
using namespace std::chrono_literals;

TEST_CASE("an id carries its millisecond, version 7 and the variant") {
  timestamp now{1'700'000'000'123'456us};
  auto id = uuid::make(now);
  CHECK(id.time() == timestamp{1'700'000'000'123'000us});
  CHECK(id.bytes[6] >> 4 == 7);
  CHECK(id.bytes[8] >> 6 == 2);
  CHECK_FALSE(id.nil());
}

TEST_CASE("ids sort by the time they were made, as bytes and as text") {
  auto early = uuid::make(timestamp{1'000ms}), late = uuid::make(timestamp{1'001ms});
  CHECK(early < late);
  CHECK(early.str() < late.str());
}

TEST_CASE("ids of one millisecond differ") {
  std::set<uuid> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(uuid::make(timestamp{5ms}));
  CHECK(seen.size() == 10'000);
}

TEST_CASE("ids that a thread makes within a millisecond grow, so that a batch stands in the order it was given in") {
  auto last = uuid::make(timestamp{7ms});
  for (int i = 0; i < 10'000; ++i) {
    const auto next = uuid::make(timestamp{7ms});
    REQUIRE(next > last);
    REQUIRE(next.time() == timestamp{7ms});
    REQUIRE((next.bytes[6] & 0xf0) == 0x70);
    REQUIRE((next.bytes[8] & 0xc0) == 0x80);
    last = next;
  }
}

TEST_CASE("an id reads back from its text in either case") {
  auto id = uuid::make(timestamp{1'700'000'000'000ms});
  CHECK(uuid::parse(id.str()) == id);
  CHECK(uuid::parse("018BCFE5-6800-7ABC-8DEF-0123456789AB") ==
        uuid::parse("018bcfe5-6800-7abc-8def-0123456789ab"));
  CHECK(uuid::parse("018bcfe5-6800-7abc-8def-0123456789ab")->str() == "018bcfe5-6800-7abc-8def-0123456789ab");
}

TEST_CASE("anything else is no id") {
  for (auto text : {"", "1", "018bcfe568007abc8def0123456789ab", "018bcfe5-6800-7abc-8def-0123456789a",
                    "018bcfe5-6800-7abc-8def-0123456789abc", "018bcfe5-6800-7abc-8def-0123456789ag",
                    "018bcfe5+6800-7abc-8def-0123456789ab", "{18bcfe5-6800-7abc-8def-0123456789ab"}) {
    INFO(text);
    CHECK_FALSE(uuid::parse(text));
  }
}
