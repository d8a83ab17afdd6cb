// What commands say of themselves: lines read strictly, and the way from a real child to the report.
#include "actors/progress.hpp"

#include "actors/process_executor.hpp"
#include "tests/executors/awaited.hpp"

#include <mutex>

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

std::string progress_of(std::string_view line) {
  const auto read = read_progress_line(line);
  return read ? read->said.progress : "refused: " + read.failure().message;
}

struct reported {
  std::mutex mutex;
  std::vector<run_report> all;
  execution_result result;
};

/// Runs a command and keeps what it reports.
std::shared_ptr<reported> run(const std::string& command, const std::string& checkpoint = "") {
  auto kept = std::make_shared<reported>();
  process_executor executor;
  auto e = an_execution("shell", nlohmann::json{{"command", command}}.dump());
  if (!checkpoint.empty()) e.checkpoint = std::make_shared<const std::string>(checkpoint);
  e.report = [kept](run_report r) {
    std::lock_guard lock(kept->mutex);
    kept->all.push_back(std::move(r));
  };
  kept->result = run_to_end(executor, std::move(e));
  return kept;
}

} // namespace

TEST_CASE("a line of progress is a number, a number and a text, a text, or an object") {
  CHECK(progress_of("40") == R"({"message":null,"percent":40})");
  CHECK(progress_of(" 12.5  half of it \r") == R"({"message":"half of it","percent":12.5})");
  CHECK(progress_of("reading 3 files") == R"({"message":"reading 3 files","percent":null})");
  CHECK(progress_of(R"({"percent": 7, "message": "x"})") == R"({"message":"x","percent":7})");
  CHECK(progress_of("") == "");
  CHECK(progress_of(R"({"checkpoint": [1, 2]})") == "");
  CHECK(*read_progress_line(R"({"checkpoint": [1, 2]})")->said.checkpoint == "[1,2]");
  CHECK(read_progress_line(R"({"retry_after": "10m"})")->retry_after == 10min);
}

TEST_CASE("a line that makes no sense is refused with what is wrong and the limit") {
  const auto fault = [](std::string_view line) {
    const auto read = read_progress_line(line);
    return read ? std::string("taken") : read.failure().message;
  };
  CHECK(fault("101") == "percent has to be a number from 0 to 100");
  CHECK(fault(R"({"percent": "7"})") == "percent has to be a number from 0 to 100");
  CHECK(fault(R"({"percent": -1})") == "percent has to be a number from 0 to 100");
  CHECK(fault(R"({"mesage": "x"})").find("'mesage' is unknown") == 0);
  CHECK(fault(R"({"message": 1})") == "message has to be a string");
  CHECK(fault("{") == "a line that begins with { has to be a JSON object");
  CHECK(fault(R"({"retry_after": 5})").find("retry_after: ") == 0);
  CHECK(fault(std::string(1'001, 'x')).find("the limit is 1000") != std::string::npos);
  const auto big = nlohmann::json{{"checkpoint", std::string(limits::checkpoint_bytes - 1, 'x')}}.dump();
  CHECK(fault(big).find("the limit is 65536") != std::string::npos); // with its two quotation marks
  CHECK(fault(nlohmann::json{{"checkpoint", std::string(limits::checkpoint_bytes - 2, 'x')}}.dump()) == "taken");
  CHECK_FALSE(read_progress(R"(["percent"])"));
  CHECK(judge_checkpoint("{\"a\":")->message == "the checkpoint is no JSON");
}

TEST_CASE("a command reports by writing lines to TASKMASTER_PROGRESS") {
  const auto r = run(R"(echo "40 half" > "$TASKMASTER_PROGRESS"; sleep 0.2; echo '{"percent": 80, "checkpoint": {"row": 7}}' >&3)");
  CHECK(r->result.outcome == run_outcome::succeeded);
  REQUIRE_FALSE(r->all.empty());
  CHECK(r->all.front().progress == R"({"message":"half","percent":40})");
  REQUIRE(r->all.back().checkpoint);
  CHECK(*r->all.back().checkpoint == R"({"row":7})");
}

TEST_CASE("a command finds the checkpoint that the last attempt left, and none where there was none") {
  const auto with = run("printf %s \"$TASKMASTER_CHECKPOINT\"", R"({"row":7})");
  CHECK(json_of(with->result).at("output") == R"({"row":7})");
  const auto without = run("printf %s \"${TASKMASTER_CHECKPOINT-unset}\"");
  CHECK(json_of(without->result).at("output") == "unset");
  const auto longest = "\"" + std::string(limits::checkpoint_bytes - 2, 'x') + "\"";
  CHECK(json_of(run("printf %s \"$TASKMASTER_CHECKPOINT\" | wc -c", longest)->result).at("output") == "65536\n");
}

TEST_CASE("what a command reports wrongly is told in its error output and changes nothing") {
  const auto r = run(R"(echo '{"checkpoint": 1}' >&3; echo '{"percent": 300}' >&3; head -c 100000 /dev/zero | tr '\0' x >&3; echo >&3; echo 5 >&3)");
  CHECK(r->result.outcome == run_outcome::succeeded);
  const std::string told = json_of(r->result).at("error_output");
  CHECK(told.find("percent has to be a number from 0 to 100") != std::string::npos);
  CHECK(told.find("longer than the limit") != std::string::npos);
  std::string last;
  for (const auto& one : r->all)
    if (!one.progress.empty()) last = one.progress;
  CHECK(last == R"({"message":null,"percent":5})");
}

TEST_CASE("a command says when it wants to be run again") {
  const auto r = run(R"(echo '{"retry_after": "1h30m"}' >&3; exit 75)");
  CHECK(r->result.outcome == run_outcome::deferred);
  CHECK(r->result.retry_after == 90min);
  CHECK_FALSE(run(R"(echo '{"retry_after": "1h30m"}' >&3)")->result.retry_after);
}

TEST_CASE("a flood of reports neither blocks the command nor fills memory") {
  const auto r = run("seq 1 200000 | sed 's/.*/50 step &/' >&3; echo done");
  CHECK(json_of(r->result).at("output") == "done\n");
  CHECK(r->all.size() < 100'000);
  REQUIRE_FALSE(r->all.empty());
  CHECK(r->all.back().progress.find("step 200000") != std::string::npos);
}
