#include "schema/fence.hpp"

#include "tests/catch.hpp"

using namespace taskmaster;
using namespace std::chrono_literals;

TEST_CASE("a fence has a fixed width, so that later ones are greater as text too") {
  fence a{1764000000000, 12}, b{1764000000000, 100}, c{1764000000001, 1};
  CHECK(a.str() == "001764000000000-000000000012");
  CHECK(a.str() < b.str());
  CHECK(b.str() < c.str());
  CHECK((a < b && b < c));
}

TEST_CASE("a fence reads back, and nonsense is none") {
  fence a{1764000000000, 12};
  CHECK(fence::parse(a.str()) == a);
  for (auto text : {"", "-", "1-", "-1", "a-b", "1-2-3", "1 -2", "99999999999999999999999-1"}) {
    INFO(text);
    CHECK(fence::parse(text).none());
  }
}

TEST_CASE("a signature is genuine only for the same claim, worker and secret") {
  claim c{uuid::make(timestamp{1ms}), 2, 1, {7, 9}};
  auto s = sign(c, "w1", "secret");
  CHECK(s.size() == 16);
  CHECK(genuine(c, "w1", "secret", s));
  CHECK_FALSE(genuine(c, "w2", "secret", s));
  CHECK_FALSE(genuine(c, "w1", "other", s));
  CHECK(genuine(c, "w1", "secret", s)); // also after another secret was in use
  CHECK_FALSE(genuine(c, "w1", "secret", ""));
  CHECK_FALSE(genuine(c, "w1", "secret", s.substr(0, 15)));
  auto changed = s;
  changed[15] ^= 1;
  CHECK_FALSE(genuine(c, "w1", "secret", changed));
  for (auto change :
       {+[](claim& x) { x.attempt++; }, +[](claim& x) { x.losses++; }, +[](claim& x) { x.fence.term++; },
        +[](claim& x) { x.fence.sequence++; }, +[](claim& x) { x.task.bytes[15] ^= 1; }}) {
    auto other = c;
    change(other);
    CHECK_FALSE(genuine(other, "w1", "secret", s));
  }
}
