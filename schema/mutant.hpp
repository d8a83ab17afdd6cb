// Planted faults, for tests/mutants.sh alone: a build with TASKMASTER_MUTANTS asks at a few places whether the guard that stands there
// is to be left out, by the name in the environment variable TASKMASTER_MUTANT. Every other build answers no at compile time.
#pragma once
#include <string_view>

#ifdef TASKMASTER_MUTANTS
#include <cstdlib>
#endif

namespace taskmaster {

#ifdef TASKMASTER_MUTANTS
inline bool mutant(std::string_view name) {
  static const char* const wanted = std::getenv("TASKMASTER_MUTANT");
  return wanted && name == wanted;
}
#else
constexpr bool mutant(std::string_view) { return false; }
#endif

} // namespace taskmaster
