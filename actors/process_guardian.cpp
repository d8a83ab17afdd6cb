#include "actors/process_guardian.hpp"

#include <fcntl.h>
#include <sys/prctl.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>

namespace taskmaster {

namespace {

constexpr int guardian_pipe = 3;

// Out of the way of everything that is meant for the worker: its terminal, its files, its directory. Its signals are blocked.
void withdraw(int pipe) {
  ::setsid();
  ::prctl(PR_SET_NAME, "tm-guardian");
  if (pipe != guardian_pipe) ::dup2(pipe, guardian_pipe);
  ::closefrom(guardian_pipe + 1);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int standard : {0, 1, 2})
    if (null >= 0 && null != standard) ::dup2(null, standard);
  if (null > guardian_pipe) ::close(null);
  [[maybe_unused]] const auto moved = ::chdir("/");
}

[[noreturn]] void watch() {
  std::set<pid_t> groups;
  pid_t records[256];
  std::size_t held = 0; // bytes in `records`; a read may end within a record
  for (;;) {
    const auto got = ::read(guardian_pipe, reinterpret_cast<char*>(records) + held, sizeof records - held);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    held += static_cast<std::size_t>(got);
    const auto whole = held / sizeof(pid_t);
    for (std::size_t i = 0; i < whole; ++i) {
      if (records[i] > 1)
        groups.insert(records[i]);
      else
        groups.erase(-records[i]);
    }
    held -= whole * sizeof(pid_t);
    std::memmove(records, records + whole, held);
  }
  for (const auto group : groups) ::kill(-group, SIGKILL);
  ::_exit(0);
}

} // namespace

void process_guardian::forget(pid_t group) const {
  const pid_t record = -group;
  while (::write(pipe_.number(), &record, sizeof record) < 0 && errno == EINTR) {}
}

expected<std::shared_ptr<process_guardian>> start_process_guardian() {
  std::error_code ignored;
  int threads = 0;
  for (auto i = std::filesystem::directory_iterator("/proc/self/task", ignored);
       i != std::filesystem::directory_iterator(); i.increment(ignored))
    ++threads;
  if (threads > 1)
    return error(ec::internal, "the process guardian has to be started before any thread; there are "
                                   + std::to_string(threads));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return error(ec::exhausted, std::string("cannot make a pipe for the process guardian: ") + std::strerror(errno));
  file_descriptor theirs(ends[0]), ours(ends[1]);
  // Blocked before the fork and for ever in the guardian: a TERM to all of a service must not find it unprepared.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  const int fork_error = errno;
  if (pid != 0) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0)
    return error(ec::exhausted, std::string("cannot start the process guardian: ") + std::strerror(fork_error)
                                    + "; the limit of processes is reached (ulimit -u)");
  if (pid == 0) {
    withdraw(theirs.number());
    watch();
  }
  return std::make_shared<process_guardian>(std::move(ours), pid);
}

} // namespace taskmaster
