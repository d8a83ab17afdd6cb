// A PostgreSQL of our own for `taskmaster up`: no network, a socket only this user can reach, and gone when we are.
// Used by the composition of `up` and by tests. Not thread-safe: made, asked and stopped on one thread, which must live as long as
// the process (owned_child says why), so main's.
//
// In the data folder: `lock` (held while we run), `postgres/` (PostgreSQL's own), `socket/`, `postgres.log`.
#pragma once
#include "cluster/owned_child.hpp"
#include "cluster/postgres_programs.hpp"
#include "schema/error.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace taskmaster {

class private_postgres {
public:
  /// Makes the database on first use, takes over what a killed predecessor left, starts the server and returns when it answers.
  /// ec::conflict: another process uses the folder. ec::incompatible: the data is of another major version.
  static expected<std::unique_ptr<private_postgres>> start(const std::filesystem::path& data);
  ~private_postgres();
  private_postgres(const private_postgres&) = delete;
  private_postgres& operator=(const private_postgres&) = delete;

  /// A libpq URI: "postgresql://taskmaster@/taskmaster?host=%2Fvar%2Flib%2Ftaskmaster%2Fsocket".
  const std::string& url() const { return url_; }
  int major() const { return programs_.major; }
  pid_t pid() const { return server_.pid(); }
  /// What a person should know: that the socket is elsewhere, which user the server runs as. For the start-up log.
  const std::vector<std::string>& notes() const { return notes_; }
  /// Starts the server again if it has died. True: it had died and answers again. Ask every second or so.
  expected<bool> revive();
  /// Fast shutdown (SIGINT); after 10 s SIGQUIT, after 5 more SIGKILL. Harmless when it is stopped.
  void stop();

private:
  private_postgres() = default;
  expected<done> lock_folder();
  expected<done> make_folders();
  expected<done> end_predecessor();
  expected<done> make_cluster();
  expected<done> write_settings();
  expected<done> run_server();
  expected<done> make_database();
  std::string last_log_lines() const;

  std::filesystem::path data_, socket_;
  postgres_programs programs_;
  std::optional<system_user> as_; // set when we are root: PostgreSQL refuses to run as root
  owned_child server_;
  int lock_ = -1;
  bool temporary_socket_ = false;
  bool stopped_ = false;
  std::string url_;
  std::vector<std::string> notes_;
};

/// /var/lib/taskmaster for root, else ~/.local/share/taskmaster (or $XDG_DATA_HOME/taskmaster).
std::filesystem::path default_data_folder();

} // namespace taskmaster
