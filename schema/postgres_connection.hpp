// One libpq connection with a deadline on every call. After a fault it is dropped and made anew by a later call, with backoff. One thread
// at a time; blocks in poll(2), never longer than asked.
#pragma once
#include "schema/postgres_wire.hpp"

#include <memory>
#include <set>
#include <string>

namespace taskmaster::postgres {

struct clear_result {
  void operator()(PGresult* r) const { PQclear(r); }
};
using result = std::unique_ptr<PGresult, clear_result>;

/// A failed statement: our error, and PostgreSQL's SQLSTATE (empty when the connection failed).
struct failure {
  error what;
  std::string sqlstate;
};

class connection {
public:
  using clock = std::chrono::steady_clock;
  connection(std::string url, std::string application_name) : url_(std::move(url)), name_(std::move(application_name)) {}
  ~connection() { drop(); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  enum class kind : std::uint8_t { read, write };
  /// Prepared on its first use in each connection, under the text itself. A write whose answer is lost is ec::ambiguous.
  expected<result> run(const std::string& sql, const parameters& p, kind k, std::chrono::milliseconds limit);
  /// Several statements in one text, no parameters.
  expected<result> script(const std::string& sql, std::chrono::milliseconds limit);
  const std::string& sqlstate() const { return sqlstate_; } ///< of the last failed statement
  /// Changes with every new connection.
  std::uint64_t generation() const { return generation_; }
  /// Connects if it has to.
  expected<done> ready(clock::time_point until);
  void drop();

private:
  expected<result> finish(clock::time_point until, kind k);
  error lost(kind k, const std::string& why);
  bool wait(bool write, clock::time_point until);

  std::string url_, name_, sqlstate_;
  PGconn* conn_ = nullptr;
  std::set<std::string> prepared_;
  std::uint64_t generation_ = 0;
  clock::time_point next_try_{};
  std::chrono::milliseconds backoff_{100};
};

} // namespace taskmaster::postgres
