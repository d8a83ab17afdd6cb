// A thread that no signal is delivered to: signals are the main thread's business, and a SIGPIPE of a write to a closed pipe or
// socket stays without effect. Used by the executors.
#pragma once
#include <csignal>
#include <thread>
#include <utility>

namespace taskmaster {

template <class Function>
std::thread quiet_thread(Function&& body) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before); // inherited by the new thread
  struct restore {
    const sigset_t& mask;
    ~restore() { ::pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } on_return{before};
  return std::thread(std::forward<Function>(body));
}

} // namespace taskmaster
