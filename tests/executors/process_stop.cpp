// Timeouts, cancels and the executor's own end, with real children.
#include "actors/process_executor.hpp"

#include "tests/executors/awaited.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

// A file that a command touches when it is ready, so that nobody has to guess how long it takes to start.
class scratch {
public:
  scratch() {
    char name[] = "/tmp/executors_test.XXXXXX";
    REQUIRE(::mkdtemp(name));
    directory_ = name;
  }
  ~scratch() { std::filesystem::remove_all(directory_); }
  std::string operator/(const std::string& file) const { return directory_ + "/" + file; }
  bool has(const std::string& file) const { return std::filesystem::exists(*this / file); }

private:
  std::string directory_;
};

execution with_timeout(execution what, duration timeout) {
  what.timeout = timeout;
  return what;
}

process_executor_options graces(duration stop) {
  process_executor_options options;
  options.stop_grace = stop;
  return options;
}

constexpr auto never = std::chrono::hours(1);

} // namespace

TEST_CASE("a command past its timeout is asked to end, and what it wrote is kept") {
  process_executor executor(graces(never));
  const auto r = run_to_end(executor, with_timeout(an_execution("shell", R"({"command": "echo begun; sleep 1000"})"),
                                                   std::chrono::milliseconds(300)));
  CHECK(r.outcome == run_outcome::timeout);
  CHECK(code_of(r) == "timeout");
  CHECK(message_of(r).find("300ms") != std::string::npos);
  CHECK(json_of(r).at("output") == "begun\n");
  CHECK(json_of(r).at("signal") == "SIGTERM");
}

TEST_CASE("a command that ignores the request to end is killed after the grace") {
  process_executor executor(graces(std::chrono::milliseconds(200)));
  const auto r = run_to_end(
      executor, with_timeout(an_execution("shell", R"({"command": "trap 'echo no' TERM; while :; do sleep 0.05; done"})"),
                             std::chrono::milliseconds(300)));
  CHECK(r.outcome == run_outcome::timeout);
  CHECK(json_of(r).at("signal") == "SIGKILL");
  CHECK(json_of(r).at("output").get<std::string>().substr(0, 3) == "no\n");
}

TEST_CASE("a cancelled command may clean up, then counts as cancelled") {
  scratch place;
  process_executor executor(graces(never));
  awaited_result result;
  executor.start(an_execution("shell", nlohmann::json{{"command", "trap 'echo tidy; exit 0' TERM; touch \"$READY\"; while :; do sleep 0.05; done"},
                                                      {"env", {{"READY", place / "ready"}}}}
                                           .dump(),
                              7),
                 result.callback());
  REQUIRE(eventually([&] { return place.has("ready"); }));
  executor.cancel(7);
  const auto r = result.get();
  CHECK(r.outcome == run_outcome::cancelled);
  CHECK(code_of(r) == "cancelled");
  CHECK(json_of(r).at("output") == "tidy\n");
  executor.stop();
  CHECK(result.times() == 1);
}

TEST_CASE("a child of a cancelled shell has the grace too") {
  scratch place;
  process_executor executor(graces(never));
  awaited_result result;
  // The shell itself dies of TERM at once; what it started has still to write its last words.
  executor.start(an_execution("shell", nlohmann::json{{"command", "sh -c 'trap \"sleep 0.2; echo saved; exit\" TERM; touch \"$READY\"; while :; do sleep 0.05; done'; true"},
                                                      {"env", {{"READY", place / "ready"}}}}
                                           .dump()),
                 result.callback());
  REQUIRE(eventually([&] { return place.has("ready"); }));
  executor.cancel(1);
  CHECK(json_of(result.get()).at("output") == "saved\n");
}

TEST_CASE("a stopped command notices that it is to end") {
  process_executor executor(graces(never));
  awaited_result result;
  executor.start(an_execution("shell", R"({"command": "kill -STOP $$"})"), result.callback());
  executor.cancel(1);
  CHECK(result.get().outcome == run_outcome::cancelled);
}

TEST_CASE("cancelling what has ended or never was changes nothing") {
  process_executor executor;
  executor.cancel(99);
  CHECK(run_to_end(executor, an_execution("shell", R"({"command": "true"})", 3)).outcome == run_outcome::succeeded);
  executor.cancel(3);
  CHECK(run_to_end(executor, an_execution("shell", R"({"command": "true"})", 4)).outcome == run_outcome::succeeded);
}

TEST_CASE("stopping the executor kills every command at once and refuses new ones") {
  process_executor executor(graces(never));
  std::vector<awaited_result> results(10);
  for (std::size_t i = 0; i < results.size(); ++i)
    executor.start(an_execution("shell", R"({"command": "trap '' TERM; sleep 1000"})", i + 1), results[i].callback());
  executor.cancel(1);
  executor.stop();
  for (auto& r : results) {
    CHECK(r.times() == 1);
    CHECK(r.get().outcome == run_outcome::cancelled);
  }
  CHECK(run_to_end(executor, an_execution("shell", R"({"command": "true"})")).outcome == run_outcome::cancelled);
  executor.stop();
}

TEST_CASE("a payload that makes no sense to a shell is refused and the field is named") {
  const auto [payload, field] = GENERATE(table<std::string, std::string>({
      {"null", "JSON object"},
      {"[]", "JSON object"},
      {"{}", "/command is missing"},
      {R"({"command": "a", "argv": ["b"]})", "/argv excludes /command"},
      {R"({"command": ["a"]})", "/command has to be a string"},
      {R"({"command": ""})", "/command is empty"},
      {R"({"command": "a\u0000b"})", "/command contains a NUL"},
      {R"({"argv": []})", "/argv has to be an array"},
      {R"({"argv": "a"})", "/argv has to be an array"},
      {R"({"argv": ["a", 1]})", "/argv/1 has to be a string"},
      {R"({"argv": ["a", "b\u0000"]})", "/argv/1 contains a NUL"},
      {R"({"argv": [""]})", "/argv/0 is empty"},
      {R"({"command": "a", "env": []})", "/env has to be an object"},
      {R"({"command": "a", "env": {"A/B": 1}})", "/env/A~1B has to be a string"},
      {R"({"command": "a", "env": {"A=B": "c"}})", "/env/A=B cannot be a variable's name"},
      {R"({"command": "a", "cwd": 1})", "/cwd has to be a string"},
      {R"({"command": "a", "stdin": {}})", "/stdin has to be a string"},
      {R"({"command": "a", "comand": "b"})", "/comand is not a field"},
  }));
  process_executor executor;
  const auto r = run_to_end(executor, an_execution("shell", payload));
  CHECK(r.outcome == run_outcome::refused);
  CHECK(code_of(r) == "payload");
  CAPTURE(payload, message_of(r));
  CHECK(message_of(r).find(field) != std::string::npos);
}
