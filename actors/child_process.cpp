#include "actors/child_process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

namespace taskmaster {

namespace {

// Everything that the child needs, made before it exists: it shares our memory until execve and must not allocate.
struct plan {
  std::vector<const char*> programs;
  std::vector<char*> argv, environment;
  const char* cwd = nullptr;
  int input = -1, output = -1, error_output = -1, progress = -1, guardian = -1;
  pid_t parent = 0;
  child_fault fault; // written by the child
};

// Runs in the child, on a stack of its own, in the parent's memory (CLONE_VM), while the parent's thread waits (CLONE_VFORK).
// So: no allocation, no locks, no C++ objects. The sanitizers' book-keeping must not see this frame that never returns.
__attribute__((no_sanitize("address", "undefined"))) int become(void* argument) {
  auto& p = *static_cast<plan*>(argument);
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != p.parent) ::_exit(127); // the worker died before PDEATHSIG was set
  if (p.guardian >= 0) {
    const pid_t group = ::getpid();
    // Four bytes into a pipe are written whole. Without a guardian at the other end PDEATHSIG has to do.
    [[maybe_unused]] const auto written = ::write(p.guardian, &group, sizeof group);
  }
  // Dispositions first: setting SIGPIPE to "ignore" drops one that the write above may have left pending.
  struct sigaction ignore {}, standard {};
  ignore.sa_handler = SIG_IGN;
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGPIPE, &ignore, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // The descriptors are all above 2 (process_executor's constructor sees to it), so none is overwritten before its turn.
  if (::dup2(p.input, 0) < 0 || ::dup2(p.output, 1) < 0 || ::dup2(p.error_output, 2) < 0) {
    p.fault = {child_fault::at::resources, errno};
    ::_exit(127);
  }
  // Last, since any of the others may have been 3; one that stays where it is has to outlive execve.
  if (p.progress == 3 ? ::fcntl(3, F_SETFD, 0) < 0 : ::dup2(p.progress, 3) < 0) {
    p.fault = {child_fault::at::resources, errno};
    ::_exit(127);
  }
  ::closefrom(4);
  if (p.cwd && ::chdir(p.cwd) != 0) {
    p.fault = {child_fault::at::directory, errno};
    ::_exit(127);
  }
  int worst = ENOENT;
  for (const char* program : p.programs) {
    ::execve(program, p.argv.data(), p.environment.data());
    if (errno == ENOENT || errno == ENOTDIR) continue;
    worst = errno;
    if (errno != EACCES) break;
  }
  p.fault = {child_fault::at::program, worst};
  ::_exit(127);
}

struct pipe_ends {
  file_descriptor read, write;
};

// `ours` is made non-blocking; the child's end blocks, as programs expect.
bool make_pipe(pipe_ends& ends, file_descriptor pipe_ends::*ours) {
  int numbers[2];
  if (::pipe2(numbers, O_CLOEXEC) != 0) return false;
  ends.read = file_descriptor(numbers[0]);
  ends.write = file_descriptor(numbers[1]);
  return ::fcntl((ends.*ours).number(), F_SETFL, O_NONBLOCK) == 0;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

} // namespace

std::variant<child_process, child_fault> start_child(const child_request& request) {
  const auto short_of = [] { return child_fault{child_fault::at::resources, errno}; };
  pipe_ends input, output, error_output, progress;
  if (!make_pipe(output, &pipe_ends::read) || !make_pipe(error_output, &pipe_ends::read) || !make_pipe(progress, &pipe_ends::read))
    return short_of();
  if (request.with_input) {
    if (!make_pipe(input, &pipe_ends::write)) return short_of();
  } else {
    input.read = file_descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!input.read.open()) return short_of();
  }

  plan p;
  for (const auto& program : request.programs) p.programs.push_back(program.c_str());
  p.argv = pointers(request.argv);
  p.environment = pointers(request.environment);
  p.cwd = request.cwd.empty() ? nullptr : request.cwd.c_str();
  p.input = input.read.number();
  p.output = output.write.number();
  p.error_output = error_output.write.number();
  p.progress = progress.write.number();
  p.guardian = request.guardian;
  p.parent = ::getpid();

  // fork() copies page tables: 42 processes a second instead of 1,500 in a worker of 500 MiB. posix_spawn can neither set
  // PDEATHSIG nor tell the guardian.
  constexpr std::size_t stack_bytes = 64u << 10;
  const auto stack = std::make_unique_for_overwrite<std::max_align_t[]>(stack_bytes / sizeof(std::max_align_t));
  int pidfd = -1;
  const int pid = ::clone(become, reinterpret_cast<char*>(stack.get()) + stack_bytes,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &p, &pidfd);
  if (pid < 0) return short_of();
  child_process child;
  child.pid = pid;
  child.exit = file_descriptor(pidfd);
  if (p.fault.number != 0) {
    if (p.guardian >= 0) {
      const pid_t gone = -pid;
      [[maybe_unused]] const auto written = ::write(p.guardian, &gone, sizeof gone);
    }
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {}
    return p.fault;
  }
  child.input = std::move(input.write);
  child.output = std::move(output.read);
  child.error_output = std::move(error_output.read);
  child.progress = std::move(progress.read);
  return child;
}

} // namespace taskmaster
