#include "cluster/stop_signals.hpp"

#include <csignal>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

} // namespace

void block_stop_signals() {
  auto set = stop_signals();
  // Its default is to kill, without a drain: of a service manager's "reload", or a terminal that is closed.
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_asked(std::chrono::milliseconds wait) {
  auto set = stop_signals();
  sigaddset(&set, SIGHUP);
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const auto left = std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(deadline - std::chrono::steady_clock::now()));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    const timespec limit{seconds.count(), (left - seconds).count()};
    switch (sigtimedwait(&set, nullptr, &limit)) {
      case SIGHUP: spdlog::info("SIGHUP: nothing is reloaded; restart to apply other settings"); break;
      case SIGINT:
      case SIGTERM: return true;
      default:
        if (std::chrono::steady_clock::now() >= deadline) return false; // else a debugger or a stop interrupted the wait
    }
  }
}

void signals_kill() {
  const auto set = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

} // namespace taskmaster
