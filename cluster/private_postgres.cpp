#include "cluster/private_postgres.hpp"

#include "cluster/percent_encode.hpp"
#include "cluster/private_postgres_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <libpq-fe.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace taskmaster {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

std::string url_of(const fs::path& socket, const std::string& database) {
  return "postgresql://taskmaster@/" + database + "?host=" + percent_encode(socket.string());
}

/// A setting's value between single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

} // namespace

fs::path default_data_folder() {
  if (::geteuid() == 0) return "/var/lib/taskmaster";
  if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) return fs::path(data) / "taskmaster";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : ".") / ".local/share/taskmaster";
}

expected<std::unique_ptr<private_postgres>> private_postgres::start(const fs::path& data) {
  std::unique_ptr<private_postgres> self(new private_postgres);
  std::error_code fault;
  self->data_ = fs::absolute(data, fault).lexically_normal();
  for (auto step : {&private_postgres::make_folders, &private_postgres::lock_folder, &private_postgres::end_predecessor,
                    &private_postgres::make_cluster, &private_postgres::write_settings, &private_postgres::run_server,
                    &private_postgres::make_database})
    if (auto ok = (self.get()->*step)(); !ok) return ok.failure();
  self->url_ = url_of(self->socket_, "taskmaster");
  return self;
}

private_postgres::~private_postgres() {
  stop();
  if (temporary_socket_) {
    std::error_code ignored;
    fs::remove_all(socket_, ignored);
  }
  if (lock_ >= 0) ::close(lock_);
}

expected<done> private_postgres::make_folders() {
  if (::geteuid() == 0) {
    as_ = user_for_postgres();
    if (!as_)
      return error(ec::unavailable, "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`; "
                                    "start as an ordinary user");
    notes_.push_back("PostgreSQL runs as user " + as_->name);
  }
  if (auto made = make_owned_folder(data_, as_); !made) return made;
  if (auto reachable = check_reachable(data_, as_); !reachable) return reachable;
  return done{};
}

expected<done> private_postgres::lock_folder() {
  const auto file = data_ / "lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return error(ec::internal, "cannot open " + file.string() + ": " + std::strerror(errno));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    if (::pread(lock_, holder, sizeof holder - 1, 0) < 0) holder[0] = 0;
    const auto pid = std::atol(holder);
    return error(ec::conflict, "the data folder " + data_.string() + " is in use by another taskmaster" +
                                   (pid > 0 ? " (process " + std::to_string(pid) + ")" : "") +
                                   "; stop that one, or name another folder with --data");
  }
  const auto mine = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, mine.data(), mine.size(), 0) < 0)
    return error(ec::internal, "cannot write " + file.string() + ": " + std::strerror(errno));
  return done{};
}

expected<done> private_postgres::end_predecessor() {
  // We hold the lock, so nobody else uses the folder: a server that still runs is the orphan of a killed process, on its way
  // out by the signal it got. A pid file without such a server is stale, even when the number belongs to somebody by now.
  const auto cluster = data_ / "postgres";
  const auto pid_file = cluster / "postmaster.pid";
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  bool asked = false;
  for (;;) {
    std::ifstream in(pid_file);
    long pid = 0;
    if (!(in >> pid)) return done{};
    if (pid <= 0 || !is_server_of(static_cast<pid_t>(pid), cluster)) {
      std::error_code ignored;
      fs::remove(pid_file, ignored);
      return done{};
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= 0s)
      return error(ec::conflict, "a PostgreSQL server (process " + std::to_string(pid) + ") still uses " + cluster.string() +
                                     " and does not stop; end it and start again");
    if (!asked) {
      ::kill(static_cast<pid_t>(pid), SIGINT);
      asked = true;
    } else if (left < 10s) {
      ::kill(static_cast<pid_t>(pid), SIGQUIT);
    }
    std::this_thread::sleep_for(50ms);
  }
}

expected<done> private_postgres::make_cluster() {
  const auto cluster = data_ / "postgres";
  auto version = major_version_of(cluster);
  if (!version) return version.failure();
  auto chosen = choose_postgres(find_postgres_programs(), *version, cluster);
  if (!chosen) return chosen.failure();
  programs_ = *chosen;
  if (*version) return done{};

  // Made beside its place and renamed, so that an initdb that was cut short is never taken for a database.
  const auto fresh = data_ / "postgres.new";
  std::error_code fault;
  fs::remove_all(fresh, fault);
  if (auto made = make_owned_folder(fresh, as_); !made) return made;
  const auto log = data_ / "initdb.log";
  fs::remove(log, fault);
  auto initdb = owned_child::start({{programs_.initdb.string(), "--pgdata=" + fresh.string(), "--username=taskmaster",
                                     "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-locale",
                                     "--data-checksums", "--no-instructions"},
                                    log,
                                    as_,
                                    SIGKILL});
  if (!initdb) return initdb.failure();
  if (!initdb->wait(5min)) {
    initdb->signal(SIGKILL);
    initdb->wait(5s);
    return error(ec::deadline_exceeded, "initdb did not finish within 5 minutes; see " + log.string());
  }
  if (initdb->exit_code() != 0)
    return error(ec::internal, "initdb " + *initdb->ended() + ": " + tail_of(log));
  fs::rename(fresh, cluster, fault);
  if (fault) return error(ec::internal, "cannot rename " + fresh.string() + ": " + fault.message());
  if (const int folder = ::open(data_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  fs::remove(log, fault);
  return done{};
}

expected<done> private_postgres::write_settings() {
  socket_ = data_ / "socket";
  // sockaddr_un holds 107 characters and PostgreSQL adds "/.s.PGSQL.5432".
  if (socket_.string().size() + std::strlen("/.s.PGSQL.5432") > 107 || socket_.string().find(',') != std::string::npos) {
    auto elsewhere = make_short_folder();
    if (!elsewhere) return elsewhere.failure();
    notes_.push_back("the socket is in " + elsewhere->string() + ", since " + socket_.string() +
                     " is too long a name (or has a comma) for one");
    socket_ = *elsewhere;
    temporary_socket_ = true;
  }
  if (auto made = make_owned_folder(socket_, as_); !made) return made;
  if (auto owned = own(socket_, as_, 0700); !owned) return owned;

  const auto file = data_ / "postgres/postgresql.conf";
  std::ofstream out(file, std::ios::trunc);
  out << "# Written by taskmaster at every start. Settings of your own: custom.conf in this folder.\n"
         "listen_addresses = ''\n"
         "unix_socket_directories = "
      << quoted(socket_.string())
      << "\n"
         "unix_socket_permissions = 0700\n"
         "max_connections = 50\n"
         "shared_buffers = 128MB\n"
         "dynamic_shared_memory_type = posix\n"
         "synchronous_commit = on\n"
         "wal_buffers = 16MB\n"
         "wal_compression = on\n"
         "max_wal_size = 2GB\n"
         "min_wal_size = 256MB\n"
         "checkpoint_timeout = 15min\n"
         "autovacuum_naptime = 10s\n"
         "jit = off\n"
         "timezone = 'UTC'\n"
         "log_timezone = 'UTC'\n"
         "log_min_messages = warning\n"
         "log_checkpoints = off\n"
         "log_line_prefix = '%m [%p] %a '\n"
         "include_if_exists = 'custom.conf'\n";
  out.close();
  if (!out) return error(ec::internal, "cannot write " + file.string() + ": " + std::strerror(errno));
  return own(file, as_, 0600);
}

expected<done> private_postgres::run_server() {
  const auto log = data_ / "postgres.log";
  std::error_code ignored;
  if (fs::file_size(log, ignored) > (10u << 20) && !ignored) fs::rename(log, data_ / "postgres.log.1", ignored);

  const auto ping = url_of(socket_, "postgres") + "&connect_timeout=2";
  const auto retry_until = std::chrono::steady_clock::now() + 10s;
  for (;;) {
    auto server = owned_child::start(
        {{programs_.postgres.string(), "-D", (data_ / "postgres").string()}, log, as_, SIGINT});
    if (!server) return server.failure();
    server_ = *server;
    auto silent_until = std::chrono::steady_clock::now() + 60s;
    for (;;) {
      const auto answer = PQping(ping.c_str());
      if (answer == PQPING_OK) return done{};
      const auto now = std::chrono::steady_clock::now();
      // It answers but takes nobody yet: it recovers after a crash, which takes as long as it takes.
      if (answer == PQPING_REJECT) silent_until = now + 60s;
      if (auto end = server_.ended()) {
        // Backends of a killed predecessor may live on for a moment and hold its shared memory.
        const auto said = last_log_lines();
        if (now < retry_until && said.find("shared memory block") != std::string::npos) break;
        return error(ec::unavailable, "PostgreSQL " + *end + " while starting; " + log.string() + " says: " + said);
      }
      if (now > silent_until) {
        stop();
        return error(ec::deadline_exceeded, "PostgreSQL did not answer within 60 s of its start; see " + log.string());
      }
      std::this_thread::sleep_for(20ms);
    }
    std::this_thread::sleep_for(200ms);
  }
}

expected<done> private_postgres::make_database() {
  const std::unique_ptr<PGconn, void (*)(PGconn*)> connection(PQconnectdb(url_of(socket_, "postgres").c_str()), PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK)
    return error(ec::unavailable, std::string("cannot connect to the private PostgreSQL: ") + PQerrorMessage(connection.get()));
  using result = std::unique_ptr<PGresult, void (*)(PGresult*)>;
  const result known(PQexec(connection.get(), "SELECT 1 FROM pg_database WHERE datname = 'taskmaster'"), PQclear);
  if (PQntuples(known.get()) == 1) return done{};
  const result made(PQexec(connection.get(), "CREATE DATABASE taskmaster"), PQclear);
  if (PQresultStatus(made.get()) != PGRES_COMMAND_OK)
    return error(ec::unavailable, std::string("cannot create the database: ") + PQerrorMessage(connection.get()));
  return done{};
}

expected<bool> private_postgres::revive() {
  if (stopped_ || !server_.ended()) return false;
  if (auto ok = end_predecessor(); !ok) return ok.failure();
  if (auto ok = run_server(); !ok) return ok.failure();
  return true;
}

void private_postgres::stop() {
  stopped_ = true;
  if (server_.pid() < 0) return;
  server_.signal(SIGINT);
  if (server_.wait(10s)) return;
  server_.signal(SIGQUIT);
  if (server_.wait(5s)) return;
  server_.signal(SIGKILL);
  server_.wait(5s);
}

std::string private_postgres::last_log_lines() const { return tail_of(data_ / "postgres.log"); }

} // namespace taskmaster
