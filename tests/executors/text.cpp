// What is kept of a command's output or an answer's body.
#include "actors/kept_output.hpp"
#include "tests/catch.hpp"

using namespace taskmaster;

TEST_CASE("a text up to the limit is kept as it is") {
  kept_output kept;
  kept.append("one ");
  kept.append("two");
  CHECK(kept.text() == "one two");
  kept_output full;
  full.append(std::string(limits::output_bytes, 'x'));
  CHECK(full.text() == std::string(limits::output_bytes, 'x'));
}

TEST_CASE("past the limit the rest is counted") {
  kept_output kept(4);
  kept.append("abc");
  kept.append("def");
  kept.append("g");
  CHECK(kept.text() == "abcd\n[cut: 3 bytes more]");
}

TEST_CASE("a character is never cut in two") {
  kept_output kept(4);
  kept.append("abc\xC3\xA4z"); // a two-byte character across the limit
  CHECK(kept.text() == "abc\n[cut: 3 bytes more]");
}

TEST_CASE("replacing bad bytes does not exceed the limit") {
  kept_output kept(8);
  kept.append(std::string(8, '\xFF'));
  CHECK(kept.text() == "\xEF\xBF\xBD\xEF\xBF\xBD\n[cut: 6 bytes more]");
}

TEST_CASE("every maximal ill-formed part becomes one replacement character") {
  const auto [bytes, text] = GENERATE(table<std::string, std::string>({
      {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {"a\xC3", "a\uFFFD"},
      {"a\xE2\x82z", "a\uFFFDz"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},         // overlong
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"}, // a surrogate
      {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xF0\x9F\x98", "\uFFFD"},
      {std::string("a\0b", 3), "a\uFFFDb"},
  }));
  CHECK(clean_text(bytes) == text);
}

TEST_CASE("the last line is found however long the text was") {
  kept_output kept(4);
  CHECK(kept.last_line().empty());
  kept.append(std::string(10'000, 'x') + "\n");
  kept.append("the cause\r\n\n");
  CHECK(kept.last_line() == "the cause");
  for (int i = 0; i < 5'000; ++i) kept.append("y");
  CHECK(kept.last_line() == std::string(500, 'y'));
}

TEST_CASE("a text can be bounded by its size in JSON") {
  kept_output kept;
  kept.append("ab\n\x01" "cd");
  CHECK(kept.text(10) == "ab\n\x01\n[cut: 2 bytes more]");
  CHECK(kept.text(9) == "ab\n\n[cut: 3 bytes more]");
}
