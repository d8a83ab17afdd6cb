// A PostgreSQL of the tests' own: one server a test binary, in a temporary folder, on a unix socket only. It
// starts with the first question, ends with the process, also when a test fails or the process is killed.
// Used by every test folder that wants a real database (link taskmaster_test_postgres). One thread.
#pragma once
#include <string>
#include <sys/types.h>

namespace taskmaster::test {

class postgres_server {
public:
  /// The server that the cases of this binary share.
  static postgres_server& shared();

  postgres_server();
  ~postgres_server();
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;

  /// URL of a new empty database.
  std::string empty_database();
  /// URL of a new database with the schema of this binary, cloned from a template that is migrated once.
  std::string fresh_database();
  std::string url(const std::string& database) const;

  /// As a crash (SIGQUIT) or a planned stop (SIGINT), and back. Both wait until it is done.
  void stop(int signal);
  void start();

private:
  pid_t spawn(const std::string& program, const std::string& arguments);

  std::string folder_, programs_;
  uid_t user_ = 0;
  gid_t group_ = 0;
  pid_t pid_ = 0;
  int made_ = 0;
  bool template_made_ = false;
};

/// Runs SQL on a connection of its own; the first column of the first row, or throws std::runtime_error with
/// the server's words.
std::string sql(const std::string& url, const std::string& text);
/// What the server says against it, "" when it takes it.
std::string refusal(const std::string& url, const std::string& text);

} // namespace taskmaster::test
