// Somebody else's session of a test's database, for transactions that stay open and locks that are waited
// for. Used by the PostgreSQL-only cases; one thread a session.
#pragma once
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <libpq-fe.h>
#include <thread>

namespace taskmaster::test {

/// A session of somebody else, for transactions that stay open.
class somebody {
public:
  explicit somebody(const std::string& url) : connection_(PQconnectdb(url.c_str()), &PQfinish) {}
  bool does(const std::string& text) {
    std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexec(connection_.get(), text.c_str()), &PQclear);
    auto status = PQresultStatus(r.get());
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
  }
  std::string value(const std::string& text) {
    std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexec(connection_.get(), text.c_str()), &PQclear);
    return PQntuples(r.get()) > 0 ? PQgetvalue(r.get(), 0, 0) : "";
  }
  std::string pid() { return std::to_string(PQbackendPID(connection_.get())); }

private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

/// Until a session of this database waits for a lock. After ten seconds it does not, and the checks that
/// follow fail.
inline void until_somebody_waits(const std::string& url) {
  const auto late = std::chrono::steady_clock::now() + 10s;
  while (sql(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                  "wait_event_type = 'Lock'") == "0" &&
         std::chrono::steady_clock::now() < late)
    std::this_thread::yield();
}

} // namespace taskmaster::test
