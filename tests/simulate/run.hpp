// One seed from the first start to the verdict.
#pragma once
#include "tests/simulate/books.hpp"

namespace taskmaster::simulate {

struct verdict {
  std::uint64_t seed = 0, hash = 0;
  std::size_t tasks = 0, faults = 0, steps = 0, children = 0, edits = 0, instants = 0;
  std::array<std::size_t, static_cast<std::size_t>(broken::count_)> counts{};
  std::optional<books::finding> first;
  std::vector<event_line> story;
};

verdict run(std::uint64_t seed);

} // namespace taskmaster::simulate
