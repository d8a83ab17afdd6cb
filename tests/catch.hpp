// Catch2 version 2 (Debian 12) and 3 (Debian 13) name their headers, and the matcher for a part of a text, differently.
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
namespace taskmaster::test {
using Catch::Matchers::ContainsSubstring;
}
#else
#include <catch2/catch.hpp>
namespace taskmaster::test {
inline auto ContainsSubstring(const std::string& part) { return Catch::Contains(part); }
} // namespace taskmaster::test
#endif
