// The guardian, against a worker that is really killed. The worker of these tests is a fork of the test itself.
#include "actors/process_guardian.hpp"

#include "actors/process_executor.hpp"
#include "tests/executors/awaited.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

// Runs `worker` in a fork, with the write end of a pipe; returns its pid and the numbers that it writes, one a line.
template <class Worker>
std::pair<pid_t, std::vector<pid_t>> forked(std::size_t numbers, Worker worker) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    worker(ends[1]);
    for (;;) ::pause();
  }
  ::close(ends[1]);
  std::string text;
  char byte;
  while (std::count(text.begin(), text.end(), '\n') < static_cast<long>(numbers) && ::read(ends[0], &byte, 1) == 1) text += byte;
  ::close(ends[0]);
  std::vector<pid_t> result;
  std::istringstream lines(text);
  for (pid_t n; lines >> n;) result.push_back(n);
  REQUIRE(result.size() == numbers);
  return {pid, result};
}

void put(int pipe, const std::string& text) { [[maybe_unused]] const auto n = ::write(pipe, text.data(), text.size()); }

// A command that starts a sleep of its own and tells both numbers through the file descriptor that the worker gave it by path.
std::string two_sleeps(int pipe) {
  const auto path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(pipe);
  return nlohmann::json{{"command", "sleep 1000 & echo $$ >" + path + "; echo $! >" + path + "; wait"}}.dump();
}

} // namespace

TEST_CASE("when the worker is killed its commands and what they started are gone") {
  const auto [worker, pids] = forked(3, [](int pipe) {
    auto guardian = start_process_guardian();
    if (!guardian) ::_exit(1);
    put(pipe, std::to_string((*guardian)->pid()) + "\n");
    process_executor_options options;
    options.guardian = *guardian;
    static process_executor executor(options);
    executor.start(an_execution("shell", two_sleeps(pipe)), [](execution_result) {});
  });
  const auto guardian = pids[0];
  for (const auto pid : pids) CHECK(alive(pid));
  // Neither Ctrl-C nor a service manager's TERM is for the guardian.
  ::kill(guardian, SIGINT);
  ::kill(guardian, SIGTERM);
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  for (const auto pid : pids) CHECK(eventually([&] { return !alive(pid); }));
}

TEST_CASE("without a guardian the command itself still dies with its worker") {
  const auto [worker, pids] = forked(2, [](int pipe) {
    static process_executor executor;
    executor.start(an_execution("shell", two_sleeps(pipe)), [](execution_result) {});
  });
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  CHECK(eventually([&pids = pids] { return !alive(pids[0]); }));
  // What it had started is what the guardian is for.
  CHECK(alive(pids[1]));
  ::kill(pids[1], SIGKILL);
}

TEST_CASE("the guardian forgets groups that have ended, holds no file of the worker, and is named") {
  // A process that is registered and forgotten must survive the guardian's last act; one that is only registered must not.
  // Forked first, since they would hold the guardian's pipe open.
  const auto sleeper = [] {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setpgid(0, 0);
      for (;;) ::pause();
    }
    ::setpgid(child, child);
    return child;
  };
  const auto kept = sleeper(), doomed = sleeper();
  auto started = start_process_guardian();
  REQUIRE(started);
  auto guardian = std::move(*started);
  const auto pid = guardian->pid();
  const auto directory = "/proc/" + std::to_string(pid);
  CHECK(eventually([&] {
    std::string name;
    std::getline(std::ifstream(directory + "/comm") >> std::ws, name);
    return name == "tm-guardian";
  }));
  CHECK(eventually([&] {
    int count = 0;
    for (int i = 0; i < 64; ++i) count += ::access((directory + "/fd/" + std::to_string(i)).c_str(), F_OK) == 0;
    return count == 4;
  }));

  REQUIRE(::write(guardian->pipe(), &kept, sizeof kept) == sizeof kept);
  REQUIRE(::write(guardian->pipe(), &doomed, sizeof doomed) == sizeof doomed);
  guardian->forget(kept);
  guardian.reset();
  CHECK(::waitpid(doomed, nullptr, 0) == doomed);
  CHECK(::waitpid(pid, nullptr, 0) == pid);
  CHECK(alive(kept));
  ::kill(kept, SIGKILL);
  ::waitpid(kept, nullptr, 0);
}

TEST_CASE("a guardian is refused once there are threads") {
  process_executor executor;
  const auto guardian = start_process_guardian();
  REQUIRE_FALSE(guardian);
  CHECK(guardian.failure().code == ec::internal);
}
