#include "cluster/bench_world.hpp"

#include "schema/migrate.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>
#include <unistd.h>

namespace taskmaster {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

volatile std::sig_atomic_t stop_wanted = 0;

std::string contents(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// What follows a process's name in its stat line; the name may hold blanks and brackets.
std::istringstream stat_of(const std::string& pid) {
  auto line = contents("/proc/" + pid + "/stat");
  const auto name_end = line.rfind(')');
  return std::istringstream(name_end == std::string::npos ? "" : line.substr(name_end + 1));
}

pid_t parent_of(const std::string& pid) {
  auto in = stat_of(pid);
  std::string state;
  pid_t parent = -1;
  in >> state >> parent;
  return parent;
}

/// The URI of another database on the same server.
std::string with_database(std::string url, const std::string& name) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) throw bench_stop("--database takes a URI, postgresql://user:password@host/name, or the word private");
  const auto question = std::min(url.find('?', scheme), url.size());
  const auto slash = url.find('/', scheme + 3);
  if (slash == std::string::npos || slash > question) return url.insert(question, "/" + name);
  return url.replace(slash + 1, question - slash - 1, name);
}

} // namespace

void watch_for_interrupt() {
  struct sigaction how {};
  how.sa_handler = [](int) { stop_wanted = 1; };
  how.sa_flags = static_cast<int>(SA_RESETHAND); // the second ends us at once; our children end with us
  sigaction(SIGINT, &how, nullptr);
  sigaction(SIGTERM, &how, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return stop_wanted != 0; }

void go_on() {
  if (interrupted()) throw bench_stop("stopped by a signal");
}

bench_world::bench_world(const std::string& database) {
  try {
    open(database);
  } catch (...) { // nobody calls the destructor of what was not made
    clean_up();
    throw;
  }
}

bench_world::~bench_world() { clean_up(); }

void bench_world::open(const std::string& database) {
  std::string name = (fs::temp_directory_path() / "taskmaster-bench-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw bench_stop("cannot make a folder in " + fs::temp_directory_path().string() + ": " + std::strerror(errno));
  folder_ = name;
  if (database == "private") {
    // As root the server runs as somebody else, who has to come through.
    fs::permissions(folder_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
    auto started = private_postgres::start(folder_ / "data");
    if (!started) throw bench_stop(started.failure().message);
    postgres_ = std::move(*started);
    url_ = postgres_->url();
  } else {
    const auto own = "taskmaster_bench_" + std::to_string(::getpid());
    server_ = database;
    url_ = with_database(database, own);
    postgres::connection maker(server_, "taskmaster bench");
    const auto made = maker.run_script("CREATE DATABASE " + own, std::chrono::steady_clock::now() + 60s);
    if (!made) throw bench_stop("cannot make a database of its own there: " + made.failure().message);
    database_name_ = own; // to be dropped again
  }
  if (const auto ready = migrate(url_, 60s); !ready) throw bench_stop(ready.failure().message);
  db_ = std::make_unique<postgres::connection>(url_, "taskmaster bench");
  ::setenv("TASKMASTER_DATABASE", url_.c_str(), 1); // not in the arguments, which everybody sees
}

void bench_world::clean_up() {
  end_roles();
  db_.reset();
  if (!database_name_.empty()) {
    postgres::connection maker(server_, "taskmaster bench");
    if (!maker.run_script("DROP DATABASE " + database_name_ + " WITH (FORCE)", std::chrono::steady_clock::now() + 60s))
      std::fprintf(stderr, "taskmaster: the database %s is left over, drop it by hand\n", database_name_.c_str());
  }
  postgres_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

// -- the database ------------------------------------------------------------------------------------------------------

postgres::rows bench_world::sql(const std::string& text, const postgres::parameters& values) {
  go_on();
  auto answer = db_->run_text(text, values, std::chrono::steady_clock::now() + 10min, postgres::effect::write);
  if (!answer) throw bench_stop(answer.failure().message);
  return std::move(*answer);
}

void bench_world::fresh() {
  end_roles();
  sql("TRUNCATE taskmaster.tasks, taskmaster.task_history, taskmaster.attempts, taskmaster.keys, taskmaster.queues, taskmaster.sessions");
  // What the last measurement left to write must not be written in the next one. On somebody's server it may not be ours to ask.
  if (postgres_) sql("CHECKPOINT");
}

void bench_world::fill(std::size_t count, const std::string& kind, const std::string& due, int priority,
                       const std::function<void(double)>& progress) {
  constexpr std::size_t portion = 100'000;
  for (std::size_t done = 0; done < count; done += portion) {
    const auto last = std::min(count, done + portion);
    // Ids as a scheduler makes them: the millisecond first, a hundred of them in each.
    sql("INSERT INTO taskmaster.tasks (id, kind, priority, run_at, created_at, payload) "
        "SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint + g / 100), 12, '0') || '7000' || to_hex(8 + (random() * 3)::int) || "
        "lpad(to_hex((random() * 2000000000)::bigint), 8, '0') || lpad(to_hex(g), 7, '0'))::uuid, $1::text, $2::integer, " +
            due + ", now(), convert_to('\"' || repeat('x', 48) || '\"', 'UTF8') FROM generate_series(" + std::to_string(done + 1) + ", " +
            std::to_string(last) + ") AS g",
        postgres::parameters().add(kind).add(priority));
    if (progress) progress(static_cast<double>(last) / static_cast<double>(count));
  }
}

void bench_world::settle() {
  sql("VACUUM (ANALYZE) taskmaster.tasks");
  if (postgres_) sql("CHECKPOINT");
}

// -- the roles ---------------------------------------------------------------------------------------------------------

void bench_world::run(const std::string& role, std::vector<std::string> words) {
  // The log is read by us, whatever the environment says of its form.
  words.insert(words.begin(), {fs::read_symlink("/proc/self/exe").string(), "--log-format", "text", "--log-level", "info"});
  fs::remove(folder_ / (role + ".log"));
  auto child = owned_child::start({words, folder_ / (role + ".log"), {}, SIGTERM});
  if (!child) throw bench_stop(child.failure().message);
  roles_[role] = *child;
}

std::string bench_world::said(const std::string& role, const std::string& mark) {
  for (const auto until = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(5ms)) {
    go_on();
    const auto log = contents(folder_ / (role + ".log"));
    if (const auto at = log.find(mark); at != std::string::npos && log.find('\n', at) != std::string::npos) {
      const auto begin = at + mark.size();
      return log.substr(begin, log.find_first_of(", /\n", begin) - begin);
    }
    if (const auto end = roles_.at(role).ended()) throw bench_stop("the " + role + " " + *end + ": " + log);
  }
  throw bench_stop("the " + role + " did not say '" + mark + "' within a minute");
}

void bench_world::start_service() {
  run("coordinator", {"coordinator", "--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--name", "bench"});
  coordinator_ = said("coordinator", "gRPC on ");
  metrics_ = said("coordinator", "metrics on http://");
  meter_ = std::make_unique<http_client>(metrics_);
  run("scheduler", {"scheduler", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--coordinator", coordinator_});
  http_ = said("scheduler", "HTTP on ");
  grpc_ = said("scheduler", ", gRPC on ");
  said("coordinator", "took over:");
}

void bench_world::start_worker(const std::string& name, int slots, int prefetch) {
  run(name, {"worker", "--coordinator", coordinator_, "--slots", std::to_string(slots), "--prefetch", std::to_string(prefetch), "--name", name});
}

void bench_world::start_everything_in_one() {
  run("up", {"up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"});
  http_ = said("up", "HTTP on ");
  grpc_ = said("up", ", gRPC on ");
}

void bench_world::end_roles() {
  // In the order in which each can hand back what it has.
  for (const bool services : {false, true})
    for (auto& [role, child] : roles_) {
      if (services != (role == "coordinator")) continue;
      child.signal(SIGTERM);
      if (!child.wait(10s)) child.signal(SIGKILL), child.wait(5s);
    }
  roles_.clear();
  meter_.reset();
}

pid_t bench_world::pid(const std::string& role) const {
  const auto at = roles_.find(role);
  return at == roles_.end() ? -1 : at->second.pid();
}

std::map<std::string, double> bench_world::cpu() const {
  std::map<std::string, double> used{{"bench", cpu_seconds(::getpid())}};
  for (const auto& [role, child] : roles_)
    if (child.pid() > 0) used[role] = cpu_seconds(child.pid());
  if (!postgres_) return used;
  double sum = cpu_seconds(postgres_->pid());
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos && parent_of(name) == postgres_->pid()) sum += cpu_seconds(std::stoi(name));
  }
  used["postgresql"] = sum;
  return used;
}

double bench_world::metric(const std::string& name) {
  const auto answer = meter_->get("/metrics");
  if (!answer.good()) throw bench_stop("the coordinator's metrics do not answer: " + answer.fault);
  const auto at = answer.body.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::strtod(answer.body.c_str() + at + name.size() + 2, nullptr);
}

double bench_world::recorded() { return metric("taskmaster_outcomes_recorded_total"); }

void bench_world::wait_recorded(double count, const std::function<void(double)>& progress) {
  double last = -1;
  auto moved = std::chrono::steady_clock::now();
  for (;;) {
    go_on();
    const auto now = recorded();
    if (now >= count) return;
    if (progress) progress(now / count);
    if (now != last) moved = std::chrono::steady_clock::now();
    last = now;
    if (std::chrono::steady_clock::now() - moved > 20s)
      throw bench_stop("nothing was recorded for 20 s, at " + std::to_string(static_cast<long>(now)) + " of " + std::to_string(static_cast<long>(count)) + " tasks");
    std::this_thread::sleep_for(50ms);
  }
}

double rss_mb(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  return 0;
}

double cpu_seconds(pid_t pid) {
  auto in = stat_of(std::to_string(pid));
  std::string skipped;
  for (int field = 3; field < 14; ++field) in >> skipped;
  double user = 0, kernel = 0;
  in >> user >> kernel;
  return (user + kernel) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

} // namespace taskmaster
