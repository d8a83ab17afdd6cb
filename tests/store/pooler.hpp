// A real PgBouncer before a test's PostgreSQL, on a unix socket in a folder of its own; ends with the test. Used by cases about pooled sessions.
#pragma once
#include <string>
#include <sys/types.h>

namespace taskmaster::test {

class pooler {
public:
  /// `mode`: transaction, session or statement. One server session for each database and user, so that all clients share it.
  /// `database_url` names the database that it leads to, as postgres_server makes it.
  pooler(const std::string& database_url, const std::string& mode, int sessions = 1);
  ~pooler();
  pooler(const pooler&) = delete;
  pooler& operator=(const pooler&) = delete;

  /// Debian's package pgbouncer is installed.
  static bool installed();
  /// The same database through the pooler.
  const std::string& url() const { return url_; }

private:
  std::string folder_, url_;
  pid_t pid_ = 0;
};

} // namespace taskmaster::test
