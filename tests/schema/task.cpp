#include "schema/task.hpp"

#include "tests/catch.hpp"

using namespace taskmaster;

namespace {
constexpr task_state all[] = {task_state::scheduled, task_state::ready,  task_state::running,
                              task_state::succeeded, task_state::failed, task_state::cancelled,
                              task_state::expired};
}

TEST_CASE("each state and delivery reads back from its name") {
  for (auto s : all) CHECK(parse_state(to_string(s)) == s);
  CHECK_FALSE(parse_state("done"));
  for (auto d : {delivery_mode::at_least_once, delivery_mode::at_most_once})
    CHECK(parse_delivery(to_string(d)) == d);
  CHECK_FALSE(parse_delivery("exactly_once"));
}

TEST_CASE("a finished task leaves its state only by a retry by hand") {
  for (auto from : all)
    for (auto to : all) {
      INFO(to_string(from) << " to " << to_string(to));
      if (finished(from))
        CHECK(may_move(from, to) == (to == task_state::scheduled || to == task_state::ready));
    }
}

TEST_CASE("only what runs succeeds, and what runs does not expire") {
  for (auto from : all) CHECK(may_move(from, task_state::succeeded) == (from == task_state::running));
  CHECK_FALSE(may_move(task_state::running, task_state::expired));
  CHECK(may_move(task_state::ready, task_state::running));
  CHECK_FALSE(may_move(task_state::scheduled, task_state::running));
}

TEST_CASE("errors have names and sentences") {
  CHECK(to_string(ec::invalid_argument) == "invalid_argument");
  CHECK(to_string(ec::deposed) == "deposed");
  CHECK(to_string(ec::internal) == "internal");
  CHECK(to_string(error{ec::unavailable, "cannot connect"}) == "unavailable: cannot connect");
  CHECK(to_string(error{ec::invalid_argument, "bad", {{"/kind", "is missing"}}}) ==
        "invalid_argument: bad [/kind: is missing]");
}
