#include "schema/task_options.hpp"

#include "tests/catch.hpp"

using namespace taskmaster;

TEST_CASE("options read back what was written, and nothing is written of what is not set") {
  task_options o;
  CHECK(to_json(o).empty());
  CHECK_FALSE(share(o));
  o.schedule = "a \"name\" with \\ and \n";
  o.scheduled_for = timestamp{duration{1'234'567'890'123'456}};
  const auto back = parse_options(to_json(o));
  REQUIRE(back);
  CHECK(*back == o);
}

TEST_CASE("options of a newer release are read without what is not known; broken ones are told") {
  const auto newer = parse_options(R"({"schedule": "s", "colour": 3})");
  REQUIRE(newer);
  CHECK(newer->schedule == "s");
  CHECK_FALSE(parse_options(R"({"schedule": 3})"));
  CHECK_FALSE(parse_options(R"(["schedule"])"));
  CHECK_FALSE(parse_options("{"));
}
