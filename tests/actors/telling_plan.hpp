// A plan that tells, and what it told as one text.
#pragma once
#include "tests/actors/plan_fixture.hpp"

namespace taskmaster::test {

struct telling_plan : plan_fixture {
  explicit telling_plan(plan_options options = {}) : plan_fixture(false, options) { p.tell(true, at(0)); }

  /// "1 ready, 1 running, …" since the last call.
  std::string told() {
    std::string out;
    for (const auto& e : p.take_events()) {
      CHECK(e.where->kind == "k");
      out += (out.empty() ? "" : ", ") + std::to_string(e.task.bytes[14] * 256 + e.task.bytes[15]) + " " + std::string(to_string(e.state));
      if (e.attempt != 1) out += " #" + std::to_string(e.attempt);
      last = e.at;
    }
    return out;
  }
  timestamp last;
};

} // namespace taskmaster::test
