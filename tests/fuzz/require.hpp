// A property that must hold for every input: the fuzzer stops where it does not.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

inline void require(bool holds) {
  if (!holds) std::abort();
}
