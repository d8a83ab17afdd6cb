// A PostgreSQL of the tests' own: one server a run, unix socket only, one database a case. It dies with this process.
#include "schema/migrate.hpp"
#include "schema/postgres_store.hpp"
#include "tests/store/worlds.hpp"

#include <cstdlib>
#include <filesystem>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace taskmaster::test {
namespace {

std::filesystem::path programs() {
  std::filesystem::path newest;
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql"))
    if (std::filesystem::exists(version.path() / "bin/postgres") && version.path() > newest) newest = version.path();
  return newest / "bin";
}

class server {
public:
  server() {
    char name[] = "/tmp/tm-store-XXXXXX";
    folder_ = mkdtemp(name);
    if (geteuid() == 0) { // PostgreSQL refuses to run as root
      const auto* user = getpwnam("postgres");
      uid_ = user ? user->pw_uid : 65'534;
      gid_ = user ? user->pw_gid : 65'534;
      if (chown(folder_.c_str(), uid_, gid_) != 0) FAIL("chown failed");
    }
    const auto data = folder_ + "/data";
    int status = 0;
    waitpid(spawn({(programs() / "initdb").string(), "-D", data, "-A", "trust", "-U", "taskmaster", "-E", "UTF8", "--locale=C.UTF-8", "-N"}), &status, 0);
    pid_ = spawn({(programs() / "postgres").string(), "-D", data, "-k", folder_, "-h", "", "-F"});
    for (int i = 0; i < 3'000; ++i) {
      if (PQping(url("postgres").c_str()) == PQPING_OK) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL("the tests' PostgreSQL did not start, see " << folder_ << "/log");
  }
  ~server() {
    kill(pid_, SIGQUIT);
    int status = 0;
    waitpid(pid_, &status, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string url(const std::string& database) const { return "postgresql://taskmaster@/" + database + "?host=" + folder_; }

private:
  pid_t spawn(const std::vector<std::string>& command) {
    std::vector<char*> words;
    for (const auto& w : command) words.push_back(const_cast<char*>(w.c_str()));
    words.push_back(nullptr);
    const auto pid = fork();
    if (pid != 0) return pid;
    if (gid_ && setgid(gid_) != 0) _exit(1);
    if (uid_ && setuid(uid_) != 0) _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (!freopen((folder_ + "/log").c_str(), "a", stdout) || dup2(1, 2) < 0 || chdir(folder_.c_str()) != 0) _exit(1);
    execv(words[0], words.data());
    _exit(127);
  }
  std::string folder_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  pid_t pid_ = 0;
};

std::string first_value(const std::string& url, const std::string& text) {
  auto* c = PQconnectdb(url.c_str());
  auto* r = PQexec(c, text.c_str());
  const auto status = PQresultStatus(r);
  const std::string fault = PQerrorMessage(c);
  const std::string value = status == PGRES_TUPLES_OK && PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "";
  PQclear(r);
  PQfinish(c);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) FAIL(fault);
  return value;
}

} // namespace

postgres_world::postgres_world() {
  static server one;
  static int number = 0;
  static const bool template_made = [] {
    first_value(one.url("postgres"), "CREATE DATABASE template");
    must(migrate(one.url("template"), limit));
    return true;
  }();
  (void)template_made;
  const auto name = "case" + std::to_string(++number);
  first_value(one.url("postgres"), "CREATE DATABASE " + name + " TEMPLATE template");
  url_ = one.url(name);
}

std::unique_ptr<task_store> postgres_world::connect() { return make_postgres_store({url_, "store tests"}); }

void postgres_world::pass(duration d) { std::this_thread::sleep_for(d); }

std::string postgres_world::sql(const std::string& text) { return first_value(url_, text); }

} // namespace taskmaster::test
