// Real children: what a command is given and what comes back.
#include "actors/process_executor.hpp"

#include "tests/executors/awaited.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

execution_result shell(const nlohmann::json& payload) {
  process_executor executor;
  return run_to_end(executor, an_execution("shell", payload.dump()));
}

std::string output_of(const nlohmann::json& payload) { return json_of(shell(payload)).at("output"); }

} // namespace

TEST_CASE("a command that exits with zero succeeds with what it wrote") {
  const auto r = shell({{"command", "echo one; echo two >&2"}});
  CHECK(r.outcome == run_outcome::succeeded);
  CHECK_FALSE(r.failure);
  CHECK(json_of(r)
        == nlohmann::json{{"output", "one\n"}, {"error_output", "two\n"}, {"exit_code", 0}, {"signal", nullptr}});
}

TEST_CASE("an exit status other than zero fails with the last line of the error output") {
  const auto r = shell({{"command", "echo first >&2; echo 'no such table' >&2; exit 3"}});
  CHECK(r.outcome == run_outcome::failed);
  CHECK(code_of(r) == "exit");
  CHECK(message_of(r) == "exit status 3: no such table");
  CHECK(json_of(r).at("exit_code") == 3);
}

TEST_CASE("exit status 64 forbids a retry and 75 asks for one that costs nothing") {
  const auto usage = shell({{"command", "exit 64"}});
  CHECK(usage.outcome == run_outcome::refused);
  CHECK(code_of(usage) == "exit");
  const auto later = shell({{"command", "exit 75"}});
  CHECK(later.outcome == run_outcome::deferred);
  CHECK(code_of(later) == "exit");
}

TEST_CASE("a command that a signal ends fails with the signal's name") {
  const auto r = shell({{"command", "kill -SEGV $$"}});
  CHECK(r.outcome == run_outcome::failed);
  CHECK(code_of(r) == "signal");
  CHECK(message_of(r) == "ended by SIGSEGV");
  CHECK(json_of(r).at("exit_code").is_null());
  CHECK(json_of(r).at("signal") == "SIGSEGV");
}

TEST_CASE("argv is executed without a shell, found on the PATH of the task") {
  CHECK(output_of({{"argv", {"printf", "%s|", "a b", "$HOME"}}}) == "a b|$HOME|");
  CHECK(output_of({{"argv", {"/bin/echo", "x"}}}) == "x\n");
  const auto r = shell({{"argv", {"echo"}}, {"env", {{"PATH", "/nowhere"}}}});
  CHECK(r.outcome == run_outcome::refused);
}

TEST_CASE("a command may start with a dash") { CHECK(shell({{"command", "-x; true"}}).outcome == run_outcome::succeeded); }

TEST_CASE("a program that does not exist is refused and one that may not be executed too") {
  const auto none = shell({{"argv", {"no-such-program-anywhere"}}});
  CHECK(none.outcome == run_outcome::refused);
  CHECK(code_of(none) == "spawn");
  CHECK(message_of(none) == "there is no program no-such-program-anywhere on this worker; install it or correct the payload");
  const auto locked = shell({{"argv", {"/etc/passwd"}}});
  CHECK(locked.outcome == run_outcome::refused);
  CHECK(code_of(locked) == "spawn");
}

TEST_CASE("a directory that does not exist fails, since it may come") {
  const auto r = shell({{"command", "pwd"}, {"cwd", "/no/such/place"}});
  CHECK(r.outcome == run_outcome::failed);
  CHECK(code_of(r) == "spawn");
  CHECK(message_of(r).find("/no/such/place") != std::string::npos);
}

TEST_CASE("a command sees its task, the payload's variables and the worker's") {
  ::setenv("INHERITED_HERE", "yes", 1);
  ::setenv("A_SECRET", "hush", 1);
  process_executor_options options;
  options.withheld = {"A_SECRET"};
  process_executor executor(options);
  auto what = an_execution(
      "shell", nlohmann::json{{"command", "echo $MINE $INHERITED_HERE $TASKMASTER_ATTEMPT $TASKMASTER_FENCE ${A_SECRET:-none}; echo $TASKMASTER_TASK_ID"},
                              {"env", {{"MINE", "a=b c"}, {"TASKMASTER_FENCE", "forged"}}}}
                   .dump());
  what.attempt = 4;
  what.task = *uuid::parse("01234567-89ab-7def-8123-456789abcdef");
  CHECK(json_of(run_to_end(executor, what)).at("output")
        == "a=b c yes 4 001764000000000-000000000012 none\n01234567-89ab-7def-8123-456789abcdef\n");
}

TEST_CASE("a command runs in the directory that it asks for") {
  CHECK(output_of({{"command", "pwd"}, {"cwd", "/usr/bin"}}) == "/usr/bin\n");
}

TEST_CASE("standard input reaches the command whole, while its output is read") {
  std::string input;
  for (int i = 0; i < 100'000; ++i) input += "line " + std::to_string(i) + "\n";
  CHECK(output_of({{"command", "wc -c"}, {"stdin", input}}) == std::to_string(input.size()) + "\n");
  // cat blocks on its output pipe unless both sides move.
  const auto r = shell({{"command", "cat"}, {"stdin", input}});
  CHECK(json_of(r).at("output").get<std::string>().substr(0, 14) == "line 0\nline 1\n");
}

TEST_CASE("without input a command reads an empty one, and need not read what it is given") {
  CHECK(output_of({{"command", "wc -c"}}) == "0\n");
  CHECK(shell({{"command", "exec <&-; sleep 0.1"}, {"stdin", std::string(1u << 20, 'x')}}).outcome
        == run_outcome::succeeded);
}

TEST_CASE("fifty megabytes of output are read to the end and cut to 64 KiB") {
  const auto r = shell({{"command", "head -c 50000000 /dev/zero | tr '\\0' a; echo done >&2"}});
  CHECK(r.outcome == run_outcome::succeeded);
  const auto output = json_of(r).at("output").get<std::string>();
  CHECK(output.size() == 65536 + std::string("\n[cut: 49934464 bytes more]").size());
  CHECK(output.substr(65530) == "aaaaaa\n[cut: 49934464 bytes more]");
  CHECK(json_of(r).at("error_output") == "done\n");
}

TEST_CASE("a result stays within its limit even when every byte has to be escaped") {
  const auto r = shell({{"command", "head -c 100000 /dev/zero | tr '\\0' '\\1' | tee /dev/stderr"}});
  CHECK(r.outcome == run_outcome::succeeded);
  CHECK(r.result.size() <= limits::result_bytes);
  CHECK(json_of(r).at("output").get<std::string>().find("[cut: ") != std::string::npos);
}

TEST_CASE("output may be written through /dev/stdout and bytes that are no text are replaced") {
  CHECK(output_of({{"command", "echo x >/dev/stdout"}}) == "x\n");
  CHECK(output_of({{"command", R"(printf 'a\377b\0c')"}}) == "a\xEF\xBF\xBD" "b\xEF\xBF\xBD" "c");
}

TEST_CASE("no descriptor of the worker leaks into a command") {
  const int leak = ::open("/dev/null", O_RDONLY); // without O_CLOEXEC, as a careless library opens it
  REQUIRE(leak >= 0);
  // 3 is where it may write its progress, 4 is ls's own, of the directory.
  CHECK(output_of({{"argv", {"ls", "/proc/self/fd"}}}) == "0\n1\n2\n3\n4\n");
  ::close(leak);
}

TEST_CASE("a command has the standard signals, whatever the worker ignores or blocks") {
  std::signal(SIGPIPE, SIG_IGN);
  const auto status = output_of({{"command", "grep -E '^Sig(Blk|Ign)' /proc/self/status"}});
  std::signal(SIGPIPE, SIG_DFL);
  CHECK(status == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("what a command leaves in its process group is killed with it") {
  const auto r = shell({{"command", "sleep 1000 & echo $!"}});
  CHECK(r.outcome == run_outcome::succeeded);
  const auto pid = std::stoi(json_of(r).at("output").get<std::string>());
  CHECK(eventually([&] { return !alive(pid); }));
}

TEST_CASE("a grandchild that left the group and holds the output does not hold up the result") {
  process_executor_options options;
  options.drain_grace = std::chrono::milliseconds(50);
  process_executor executor(options);
  // The shell waits until the other has left (field 5 is the group): before that it would be killed with the group.
  const auto r = run_to_end(
      executor,
      an_execution("shell", R"({"command": "setsid sleep 1000 & p=$!; until [ \"$(cut -d' ' -f5 /proc/$p/stat)\" = $p ]; do :; done; echo $p"})"));
  CHECK(r.outcome == run_outcome::succeeded);
  // That it lives on is not promised to anyone; here it must not outlive the test.
  const auto pid = std::stoi(json_of(r).at("output").get<std::string>());
  CHECK(::kill(pid, SIGKILL) == 0);
}

TEST_CASE("two hundred commands run at once, each with its own answer") {
  process_executor executor;
  std::vector<awaited_result> results(200);
  for (std::size_t i = 0; i < results.size(); ++i)
    executor.start(an_execution("shell", nlohmann::json{{"command", "cat; echo $X"},
                                                        {"stdin", std::to_string(i) + "\n"},
                                                        {"env", {{"X", std::to_string(i)}}}}
                                             .dump(),
                                i + 1),
                   results[i].callback());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto text = std::to_string(i) + "\n";
    CHECK(json_of(results[i].get()).at("output") == text + text);
  }
  executor.stop();
  for (const auto& r : results) CHECK(r.times() == 1);
}

TEST_CASE("running commands leaves neither descriptors nor zombies behind") {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  process_executor executor;
  run_to_end(executor, an_execution("shell", R"({"command": "true"})"));
  const auto before = descriptors();
  for (int i = 0; i < 20; ++i) {
    run_to_end(executor, an_execution("shell", R"({"command": "exit 1", "stdin": "x"})"));
    run_to_end(executor, an_execution("shell", R"({"argv": ["no-such-program-anywhere"]})"));
  }
  CHECK(descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}
