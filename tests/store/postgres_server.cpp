#include "tests/store/postgres_server.hpp"

#include "schema/migrate.hpp"

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <libpq-fe.h>
#include <memory>
#include <pwd.h>
#include <signal.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace taskmaster::test {

namespace fs = std::filesystem;

namespace {

/// Debian puts each version in a folder of its own; the newest is taken.
std::string find_programs() {
  fs::path newest;
  int version = 0;
  std::error_code none;
  for (const auto& folder : fs::directory_iterator("/usr/lib/postgresql", none)) {
    auto number = std::atoi(folder.path().filename().c_str());
    if (number > version && fs::exists(folder.path() / "bin/initdb")) {
      version = number;
      newest = folder.path() / "bin";
    }
  }
  if (newest.empty())
    throw std::runtime_error("no PostgreSQL server in /usr/lib/postgresql: install the package postgresql");
  return newest;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

postgres_server& postgres_server::shared() {
  static postgres_server server;
  return server;
}

postgres_server::postgres_server() : programs_(find_programs()) {
  auto pattern = (fs::temp_directory_path() / "taskmaster-test-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
  folder_ = pattern;
  if (::geteuid() == 0) { // PostgreSQL refuses to run as root
    auto* other = ::getpwnam("postgres");
    if (!other) other = ::getpwnam("nobody");
    if (!other || ::chown(folder_.c_str(), other->pw_uid, other->pw_gid) != 0)
      throw std::runtime_error("cannot hand the temporary folder to the user that runs PostgreSQL");
    user_ = other->pw_uid;
    group_ = other->pw_gid;
  }
  auto pid =
      spawn("initdb", "-D " + folder_ + "/data -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync");
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) throw std::runtime_error("initdb failed: " + read_file(folder_ + "/log"));
  start();
}

postgres_server::~postgres_server() {
  if (pid_ > 0) {
    ::kill(pid_, SIGQUIT);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

pid_t postgres_server::spawn(const std::string& program, const std::string& arguments) {
  std::vector<std::string> words{programs_ + "/" + program};
  std::istringstream list(arguments);
  for (std::string word; list >> word;) words.push_back(word);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  auto log = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  auto parent = ::getpid();
  auto pid = ::fork();
  if (pid == 0) {
    if (user_ != 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(group_, group_, group_) != 0 ||
                       ::setresuid(user_, user_, user_) != 0))
      ::_exit(126);
    // After the change of user, which clears it. The server ends when the test does, however the test ends.
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::getppid() != parent || ::chdir(folder_.c_str()) != 0) ::_exit(126);
    ::setpgid(0, 0); // a Ctrl-C at the test is none at the server
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(log);
  if (pid < 0) throw std::runtime_error("cannot fork");
  return pid;
}

void postgres_server::start() {
  // Durability is not what these tests look at, and it is most of the time they would take.
  pid_ = spawn("postgres",
               "-D " + folder_ + "/data -k " + folder_ +
                   " -c listen_addresses= -c fsync=off -c max_connections=60 -c shared_buffers=64MB");
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (PQping(url("postgres").c_str()) != PQPING_OK) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_ || std::chrono::steady_clock::now() > until) {
      pid_ = 0;
      throw std::runtime_error("PostgreSQL does not start: " + read_file(folder_ + "/log"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void postgres_server::stop(int signal) {
  ::kill(pid_, signal);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

std::string postgres_server::url(const std::string& database) const {
  return "postgresql://postgres@/" + database + "?host=" + folder_;
}

std::string postgres_server::empty_database() {
  auto name = "case_" + std::to_string(++made_);
  sql(url("postgres"), "CREATE DATABASE " + name);
  return url(name);
}

std::string postgres_server::fresh_database() {
  if (!template_made_) {
    sql(url("postgres"), "CREATE DATABASE migrated");
    auto done = migrate(url("migrated"), std::chrono::seconds(60));
    if (!done) throw std::runtime_error(to_string(done.failure()));
    template_made_ = true;
  }
  auto name = "case_" + std::to_string(++made_);
  sql(url("postgres"), "CREATE DATABASE " + name + " TEMPLATE migrated");
  return url(name);
}

std::string sql(const std::string& url, const std::string& text) {
  std::unique_ptr<PGconn, decltype(&PQfinish)> c(PQconnectdb(url.c_str()), &PQfinish);
  PQsetNoticeProcessor(c.get(), [](void*, const char*) {}, nullptr);
  std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexec(c.get(), text.c_str()), &PQclear);
  auto status = PQresultStatus(r.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    throw std::runtime_error(PQerrorMessage(c.get()));
  return PQntuples(r.get()) > 0 ? PQgetvalue(r.get(), 0, 0) : "";
}

std::string refusal(const std::string& url, const std::string& text) {
  try {
    sql(url, text);
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

} // namespace taskmaster::test
