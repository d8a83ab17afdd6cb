// The kinds that need no executor.
#include "actors/builtin_tasks.hpp"

#include "tests/executors/awaited.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

builtin_run step(const std::string& kind, const std::string& payload, std::int32_t attempt = 1) {
  auto what = an_execution(kind, payload);
  what.attempt = attempt;
  return builtin_step(what);
}

} // namespace

TEST_CASE("noop succeeds at once with nothing, whatever it is given") {
  for (const auto* payload : {"null", "{}", "[1, 2]", "\"x\""}) {
    const auto s = step("noop", payload);
    CHECK(s.wait == duration::zero());
    CHECK(s.result.outcome == run_outcome::succeeded);
    CHECK(s.result.result.empty());
  }
}

TEST_CASE("sleep waits as long as it is told") {
  const auto s = step("sleep", R"({"for": "1m30s"})");
  CHECK(s.wait == std::chrono::seconds(90));
  CHECK(s.result.outcome == run_outcome::succeeded);
}

TEST_CASE("echo gives its payload back") {
  CHECK(step("echo", R"({"a": [1, "ä"]})").result.result == R"({"output":{"a": [1, "ä"]}})");
  CHECK(step("echo", "null").result.result == R"({"output":null})");
}

TEST_CASE("a large payload comes back as text, cut like any other") {
  const auto text = std::string(100'000, 'x');
  const auto r = step("echo", nlohmann::json(text).dump()).result;
  CHECK(json_of(r).at("output") == text.substr(0, 65536) + "\n[cut: 34464 bytes more]");
  const auto list = step("echo", nlohmann::json(std::vector<int>(100'000)).dump()).result;
  CHECK(json_of(list).at("output").get<std::string>().substr(0, 6) == "[0,0,0");
  CHECK(step("echo", nlohmann::json(std::string(500'000, '\x01')).dump()).result.result.size() <= limits::result_bytes);
}

TEST_CASE("fail fails as often as it is told, or always") {
  CHECK(step("fail", "null").result.outcome == run_outcome::failed);
  CHECK(step("fail", "{}", 900).result.outcome == run_outcome::failed);
  CHECK(step("fail", R"({"times": 2})", 2).result.outcome == run_outcome::failed);
  CHECK(step("fail", R"({"times": 2})", 3).result.outcome == run_outcome::succeeded);
  CHECK(step("fail", R"({"times": 0})", 1).result.outcome == run_outcome::succeeded);
  const auto r = step("fail", R"({"message": "on purpose"})").result;
  CHECK(code_of(r) == "failed");
  CHECK(message_of(r) == "on purpose");
}

TEST_CASE("payloads of built-in kinds are judged like others") {
  const auto [kind, payload, field] = GENERATE(table<std::string, std::string, std::string>({
      {"sleep", "null", "JSON object"},
      {"sleep", "{}", "/for is missing"},
      {"sleep", R"({"for": 3})", "/for has to be a string"},
      {"sleep", R"({"for": "soon"})", "/for: "},
      {"sleep", R"({"for": "1s", "seconds": 1})", "/seconds is not a field"},
      {"fail", R"({"times": -1})", "/times has to be"},
      {"fail", R"({"times": "2"})", "/times has to be"},
      {"fail", R"({"message": 2})", "/message has to be a string"},
  }));
  const auto s = step(kind, payload);
  CHECK(s.wait == duration::zero());
  CHECK(s.result.outcome == run_outcome::refused);
  CHECK(code_of(s.result) == "payload");
  CAPTURE(payload, message_of(s.result));
  CHECK(message_of(s.result).find(field) != std::string::npos);
}
