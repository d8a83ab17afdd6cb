#include "cluster/owned_child.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace taskmaster {

namespace {

/// Between fork and exec in a process with threads: system calls only, nothing that may take a lock.
[[noreturn]] void become(const owned_child::options& how, char* const* argv, int output, int report, pid_t parent) {
  const auto give_up = [&] {
    const int fault = errno;
    if (::write(report, &fault, sizeof fault) < 0) {}
    ::_exit(127);
  };
  ::setsid();
  ::umask(077);
  if (how.as) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setgid, how.as->gid) != 0 ||
        ::syscall(SYS_setuid, how.as->uid) != 0)
      give_up();
  }
  // After setuid, which clears it. If we died before this line, nobody would tell the child: it looks for itself.
  if (how.signal_on_our_death != 0) {
    ::prctl(PR_SET_PDEATHSIG, how.signal_on_our_death);
    if (::getppid() != parent) ::_exit(127);
  }
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Not ours to hand on: sockets and locks that somebody opened without O_CLOEXEC. `report` closes itself at exec.
  ::syscall(SYS_close_range, 3, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
  ::execv(argv[0], argv);
  give_up();
  ::_exit(127);
}

} // namespace

expected<owned_child> owned_child::start(const options& how) {
  std::vector<char*> argv;
  for (const auto& word : how.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  const int output = ::open(how.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0)
    return error(ec::internal, "cannot write " + how.output.string() + ": " + std::strerror(errno));
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) {
    ::close(output);
    return error(ec::internal, std::string("cannot open a pipe: ") + std::strerror(errno));
  }

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(how, argv.data(), output, report[1], parent);
  const int fork_fault = errno;
  ::close(output);
  ::close(report[1]);
  int fault = 0;
  const auto told = pid < 0 ? 0 : ::read(report[0], &fault, sizeof fault);
  ::close(report[0]);
  if (pid < 0)
    return error(ec::internal, "cannot start " + how.command.front() + ": " + std::strerror(fork_fault));
  if (told > 0) {
    ::waitpid(pid, nullptr, 0);
    return error(ec::internal, "cannot start " + how.command.front() +
                                   (how.as ? " as user " + how.as->name : "") + ": " + std::strerror(fault));
  }
  owned_child child;
  child.pid_ = pid;
  return child;
}

std::optional<std::string> owned_child::ended() {
  if (pid_ < 0) return end_;
  int status = 0;
  const pid_t got = ::waitpid(pid_, &status, WNOHANG);
  if (got == 0) return std::nullopt;
  if (got < 0) {
    end_ = "ended, and somebody else was told how";
  } else if (WIFEXITED(status)) {
    exit_code_ = WEXITSTATUS(status);
    end_ = "exited with code " + std::to_string(exit_code_);
  } else {
    end_ = "was ended by signal " + std::to_string(WTERMSIG(status));
  }
  pid_ = -1;
  return end_;
}

bool owned_child::wait(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!ended()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

void owned_child::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

} // namespace taskmaster
