#include "gateway/json_door.hpp"
#include "gateway/json_writer.hpp"
#include "gateway/query_string.hpp"
#include "tests/catch.hpp"

using namespace taskmaster;

namespace {

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

std::string fault(std::string_view text) {
  const auto e = check_json(text);
  if (!e) return "";
  CHECK(e->code == ec::invalid_argument);
  return e->message;
}

} // namespace

TEST_CASE("the door lets in every value of JSON") {
  for (const char* text : {"null", "true", " [1, -2.5e3, \"x\"] ", "{\"a\": {\"b\": []}, \"c\": {\"b\": 1}}", "\"\\ud83d\\ude00\"", "\xEF\xBB\xBF{}", "1e-400",
                           "123456789012345678901234567890"})
    CHECK_FALSE(check_json(text));
}

TEST_CASE("a hundred levels pass and one more does not") {
  CHECK_FALSE(check_json(nested(100)));
  CHECK(fault(nested(101)).find("100 levels") != std::string::npos);
  CHECK(fault(std::string(5'000'000, '[')).find("100 levels") != std::string::npos);
}

TEST_CASE("the door refuses what readers would take differently, and says where") {
  struct {
    std::string text, says;
  } const table[] = {
      {"", "line 1, column 0"},
      {"{", "line 1"},
      {"{\"a\": 1,}", "line 1, column 9"},
      {"{\"a\":\n tru}", "line 2"},
      {"[1] x", "line 1, column 5"},
      {"{} {}", "expected end of input"},
      {"[01]", "line 1"},
      {"[NaN]", "line 1"},
      {"[1] // note", "line 1"},
      {"'x'", "line 1"},
      {"1e400", "beyond what a double can hold"},
      {"{\"a\": [-1e999]}", "beyond what a double can hold"},
      {"{\"a\": 1, \"b\": {\"x\": 1, \"x\": 2}}", "/b/x"},
      {"{\"a\": 1, \"\\u0061\": 2}", "/a"},
      {"[0, {\"p\": \"a\\u0000b\"}]", "/1/p"},
      {"{\"a\\u0000\": 1}", "U+0000"},
      {"\"\xff\xfe\"", "UTF-8"},
      {"\"\xc0\xaf\"", "UTF-8"},
      {"\"\xed\xa0\x80\"", "UTF-8"},
      {"\"\\ud800\"", "surrogate"},
      {std::string("\"a\0b\"", 5), "line 1, column 2: the byte 0"},
      {std::string("{}\0{", 4), "line 1, column 2: the byte 0"}, // the library reads no further
      {"\xEF\xBB\xBF\xEF\xBB\xBF{}", "a second byte order mark"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto message = fault(row.text);
    INFO(message);
    CHECK(message.find(row.says) != std::string::npos);
  }
}

TEST_CASE("a fault's sentence does not repeat the megabyte it stands in") {
  CHECK(fault("\"" + std::string(1'000'000, 'x') + "\xff\"").size() < 500);
}

TEST_CASE("a view reads what was written, escapes and pieces") {
  const std::string text = R"( { "a\/b" : [ 1 , {"x":[]} , "}\"]" ] , "n" : -7 , "d" : 2.50 , "s" : "é\u00e9\ud83d\ude00\n" , "t":true, "z":null } )";
  const auto json = open_json(text);
  REQUIRE(json);
  const auto members = json->members();
  REQUIRE(members.size() == 6);
  CHECK(members[0].first == "a/b");
  const auto elements = members[0].second.elements();
  REQUIRE(elements.size() == 3);
  CHECK(elements[0].integer() == 1);
  CHECK(elements[1].text() == "{\"x\":[]}");
  CHECK(elements[2].string() == "}\"]");
  CHECK(members[1].second.integer() == -7);
  CHECK(members[2].second.number() == 2.5);
  CHECK_FALSE(members[2].second.integer());
  CHECK(members[3].second.string() == "éé😀\n");
  CHECK(members[4].second.boolean() == true);
  CHECK(members[5].second.null());
  CHECK_FALSE(members[5].second.string());
}

TEST_CASE("compacting drops white space and nothing else") {
  CHECK(compact_json(" { \"a b\" : [ 1.0 , 123456789012345678901234567890 ] ,\n\t\"q\\\" \" : 1e5 }\r\n") ==
        "{\"a b\":[1.0,123456789012345678901234567890],\"q\\\" \":1e5}");
}

TEST_CASE("what is written is JSON, whatever the bytes") {
  json_writer out;
  out.begin_object().field("a", std::string_view("\"\\\n\x01\x7f é\xff\xed\xa0\x80", 12)).field_or_null("b", "").key("c").raw("[1]");
  out.key("d").number(0.1).key("e").begin_array().integer(-3).boolean(false).null().end_array().end_object();
  const auto text = out.take();
  CHECK_FALSE(check_json(text));
  CHECK(text == "{\"a\":\"\\\"\\\\\\n\\u0001\\u007f \xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\",\"b\":null,\"c\":[1],\"d\":0.1,\"e\":[-3,false,null]}");
}

TEST_CASE("a query is read strictly") {
  const auto q = parse_query("label=k%3Dv&label=a+b&limit=1&empty");
  REQUIRE(q);
  CHECK(*q == query_parameters{{"label", "k=v"}, {"label", "a b"}, {"limit", "1"}, {"empty", ""}});
  for (const char* bad : {"a=%", "a=%4", "a=%zz", "a=%00", "a=%ff", "%+1=x"}) CHECK_FALSE(parse_query(bad));
}
