// Where the bench measures: a database of its own, and scheduler, coordinator and workers as processes started from this binary.
// Main thread only (owned_child says why).
#pragma once
#include "cluster/http_client.hpp"
#include "cluster/owned_child.hpp"
#include "cluster/private_postgres.hpp"
#include "schema/postgres_connection.hpp"

#include <csignal>
#include <functional>
#include <map>
#include <stdexcept>

namespace taskmaster {

/// A measurement that cannot go on: thrown through its loops, caught where the next one begins.
struct bench_stop : std::runtime_error {
  using runtime_error::runtime_error;
};

/// Ctrl-C. Looked at by every loop that waits; throws bench_stop.
void watch_for_interrupt();
bool interrupted();
void go_on();

class bench_world {
public:
  /// Throws bench_stop when there is no database to be had.
  explicit bench_world(const std::string& database);
  ~bench_world();
  bench_world(const bench_world&) = delete;
  bench_world& operator=(const bench_world&) = delete;

  // -- the database --
  const std::string& url() const { return url_; }
  /// One statement's rows; throws bench_stop with the database's words.
  postgres::rows sql(const std::string& text, const postgres::parameters& values = {});
  std::int64_t number(const std::string& text) { return sql(text).int8(0, 0); }
  /// Ends the roles and empties the tables.
  void fresh();
  /// Tasks straight into the table, ids in the order of run_at. `due` is SQL over g = 1 … count: "now() - interval '1 second'".
  void fill(std::size_t count, const std::string& kind, const std::string& due, int priority = 0,
            const std::function<void(double)>& progress = {});

  /// What a fill leaves PostgreSQL to do later (vacuum, statistics, a checkpoint) is done now, not while something is measured.
  void settle();

  // -- the roles --
  /// A coordinator that leads and a scheduler that answers.
  void start_service();
  /// With the prefetch that docs/performance.md advises for short tasks, unless it says another.
  void start_worker(const std::string& name, int slots, int prefetch = 400);
  /// `taskmaster up` alone.
  void start_everything_in_one();
  void end_roles();
  const std::string& http() const { return http_; }
  const std::string& grpc() const { return grpc_; }
  const std::string& coordinator() const { return coordinator_; }
  pid_t pid(const std::string& role) const;
  pid_t postgres_pid() const { return postgres_ ? postgres_->pid() : -1; }

  /// Processor time used so far, in seconds, by each role, by `postgresql` (our own: all its processes) and by `bench` itself.
  std::map<std::string, double> cpu() const;

  /// Outcomes that the coordinator has committed since its start.
  double recorded();
  /// Waits until so many are. `progress` is told the part. Throws when nothing moves for 20 s.
  void wait_recorded(double count, const std::function<void(double)>& progress = {});

private:
  void open(const std::string& database);
  void clean_up();
  void run(const std::string& role, std::vector<std::string> words);
  /// What the role's log says after `mark`, up to a blank or comma.
  std::string said(const std::string& role, const std::string& mark);
  double metric(const std::string& name);

  std::filesystem::path folder_;
  std::unique_ptr<private_postgres> postgres_;
  std::string server_, database_name_; // a database made on somebody's server
  std::string url_;
  std::unique_ptr<postgres::connection> db_;
  std::map<std::string, owned_child> roles_;
  std::string http_, grpc_, coordinator_, metrics_;
  std::unique_ptr<http_client> meter_;
};

/// Of a process and its threads, from /proc.
double rss_mb(pid_t pid);
double cpu_seconds(pid_t pid);

} // namespace taskmaster
