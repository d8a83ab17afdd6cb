// One libpq connection with a deadline on everything: connecting, sending, waiting. It reconnects on the next
// call after a failure, with backoff. Used by the files of postgres_store and by the migrator; one thread at
// a time; blocks on poll(2).
#pragma once
#include "schema/postgres_faults.hpp"
#include "schema/postgres_values.hpp"
#include "schema/time.hpp"

#include <set>

struct pg_conn;

namespace taskmaster::postgres {

/// The oldest server that we work with, as PQserverVersion counts. README, doctor and nodes go by it.
constexpr int oldest_server = 140'000;

/// Whose the session is. `own`: ours alone, from connecting to closing, so that it is set up once for all statements (nodes, migrate).
/// `shared`: perhaps a pooler's, who gives it to others after each transaction. Nothing may be left in it: no setting, no prepared
/// statement. Each run() is then a read-only transaction of its own with settings of its own (doctor).
enum class session { own, shared };

class connection {
public:
  connection(std::string url, std::string application_name, session kind = session::own);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// Runs schema/queries/<name>.sql, prepared once per connection.
  expected<rows> run(std::string_view name, const parameters& values, steady_time deadline, effect what);
  /// Runs text that is made for the occasion, unprepared, one statement.
  expected<rows> run_text(const std::string& text, const parameters& values, steady_time deadline,
                          effect what);
  /// Runs several statements separated by semicolons; no parameters, no answer. They are one transaction
  /// unless they say otherwise.
  expected<done> run_script(const std::string& text, steady_time deadline);

  /// How many notifications have come; waits for the first until the deadline, or until `wake` can be read (then 0).
  expected<int> await_notifications(int wake, steady_time deadline);

  /// Connects if need be. `fresh` tells that this call made a new connection.
  expected<done> connect(steady_time deadline, bool* fresh = nullptr);
  /// Closes at once; the next call connects again, without backoff.
  void drop();
  /// PQbackendPID: the server process that answered the connection, or what a pooler says instead.
  int backend() const;
  /// SQLSTATE of the last error that a server sent, of a refused connection too, else empty.
  const std::string& sqlstate() const { return sqlstate_; }

private:
  expected<done> open(steady_time deadline);
  /// What the server or libpq said to an attempt to connect; sets sqlstate().
  error refused_connection();
  expected<rows> send_text(const std::string& text, const parameters& values, steady_time deadline, effect what);
  expected<rows> run_shared(const std::string& text, const parameters& values, steady_time deadline);
  expected<done> prepare(std::string_view name, steady_time deadline);
  bool alive();
  /// Sends what libpq holds back, then waits for all results; gives the last one.
  expected<rows> finish(steady_time deadline, effect what);
  enum class waited { ready, late, broken };
  waited wait(short events, steady_time deadline);
  error broken(effect what);
  error late(effect what);
  error refused(const pg_result* result, effect what);

  std::string url_, application_name_;
  session kind_;
  pg_conn* conn_ = nullptr;
  std::set<std::string, std::less<>> prepared_;
  std::string sqlstate_;
  std::chrono::milliseconds backoff_{0};
  steady_time not_before_{};
  error last_failure_;
};

} // namespace taskmaster::postgres
