// A child process that must not outlive us: its own session (Ctrl-C in our terminal is ours alone to pass on), a signal when we
// die, and, where asked, another user. Used by private_postgres at start and stop; executors have a leaner way of their own.
// The kernel sends the signal when the *thread* that started the child ends: call start() on a thread that lives as long as the
// process, as main() does.
#pragma once
#include "schema/error.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace taskmaster {

/// Who a child runs as.
struct system_user {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

class owned_child {
public:
  struct options {
    std::vector<std::string> command;   // command[0] is a path
    std::filesystem::path output;       // stdout and stderr are appended here
    std::optional<system_user> as;      // only root may ask
    int signal_on_our_death = 0;
  };

  static expected<owned_child> start(const options& how);

  owned_child() = default;
  pid_t pid() const { return pid_; }
  /// Nothing while it runs; afterwards "exited with code 1" or "was ended by signal 9".
  std::optional<std::string> ended();
  /// 0 after a clean exit; only meaningful once ended() has answered.
  int exit_code() const { return exit_code_; }
  /// Waits for its end; false when it still runs after the time.
  bool wait(std::chrono::milliseconds limit);
  void signal(int number) const;

private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
  std::string end_;
};

} // namespace taskmaster
