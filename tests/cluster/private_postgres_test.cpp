// The PostgreSQL that `taskmaster up` brings: real servers, each in a folder of its own.
#include "cluster/private_postgres.hpp"
#include "tests/catch.hpp"
#include "tests/cluster/temporary_folder.hpp"

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace taskmaster;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

bool eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

bool alive(pid_t pid) { return ::kill(pid, 0) == 0; }

/// One value from psql, which every machine with a server has.
std::string ask(const std::string& url, const std::string& sql) {
  const auto command = "psql -X -A -t -v ON_ERROR_STOP=1 -c \"" + sql + "\" '" + url + "' 2>&1";
  FILE* out = ::popen(command.c_str(), "re");
  std::string text;
  char piece[256];
  while (std::fgets(piece, sizeof piece, out)) text += piece;
  ::pclose(out);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::unique_ptr<private_postgres> start(const fs::path& data) {
  auto server = private_postgres::start(data);
  INFO((server ? "" : server.failure().message));
  REQUIRE(server);
  return std::move(*server);
}

/// Another process that starts a server and waits to be killed; its server's pid.
struct other_process {
  pid_t pid = -1, server = -1;
  explicit other_process(const fs::path& data) {
    int channel[2];
    REQUIRE(::pipe(channel) == 0);
    pid = ::fork();
    if (pid == 0) {
      auto made = private_postgres::start(data);
      const pid_t it = made ? (*made)->pid() : -1;
      if (::write(channel[1], &it, sizeof it) < 0) ::_exit(1);
      ::alarm(120); // never outlives the test by much
      for (;;) ::pause();
    }
    ::close(channel[1]);
    REQUIRE(::read(channel[0], &server, sizeof server) == sizeof server);
    ::close(channel[0]);
    REQUIRE(server > 0);
  }
  void kill_it() {
    if (pid < 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
  }
  ~other_process() { kill_it(); }
};

} // namespace

TEST_CASE("a private PostgreSQL starts, answers only on its socket and keeps its data over a restart") {
  temporary_folder folder;
  const auto data = folder.path / "data";
  {
    auto server = start(data);
    CHECK(ask(server->url(), "SELECT current_database() || ' ' || current_user") == "taskmaster taskmaster");
    CHECK(ask(server->url(), "SHOW listen_addresses").empty());
    CHECK(ask(server->url(), "SHOW server_encoding") == "UTF8");
    CHECK(ask(server->url(), "SHOW data_checksums") == "on");
    CHECK(ask(server->url(), "SHOW synchronous_commit") == "on");
    CHECK(ask(server->url(), "CREATE TABLE kept AS SELECT 42 AS n") == "SELECT 1");
  }
  auto server = start(data);
  CHECK(ask(server->url(), "SELECT n FROM kept") == "42");
  struct stat info {};
  REQUIRE(::stat((data / "socket").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE("a killed program takes its private PostgreSQL along, and the next start finds the data") {
  temporary_folder folder;
  other_process first(folder.path / "data");
  const auto orphan = first.server;
  CHECK(alive(orphan));
  SECTION("after the server has gone") {
    first.kill_it();
    CHECK(eventually([&] { return !alive(orphan); }));
  }
  SECTION("while the server is still on its way out") { first.kill_it(); }
  auto server = start(folder.path / "data");
  CHECK(server->pid() != orphan);
  CHECK(ask(server->url(), "SELECT 1") == "1");
}

TEST_CASE("a second start on the same folder is refused with the first one's process number") {
  temporary_folder folder;
  other_process first(folder.path / "data");
  auto second = private_postgres::start(folder.path / "data");
  REQUIRE_FALSE(second);
  CHECK(second.failure().code == ec::conflict);
  CHECK(second.failure().message.find("process " + std::to_string(first.pid)) != std::string::npos);
  CHECK(alive(first.server));
}

TEST_CASE("a stale postmaster.pid that names somebody else's process is removed, and that process left alone") {
  temporary_folder folder;
  const auto data = folder.path / "data";
  start(data)->stop();
  std::ofstream(data / "postgres/postmaster.pid") << ::getpid() << "\n" << (data / "postgres").string() << "\n";
  auto server = start(data);
  CHECK(ask(server->url(), "SELECT 1") == "1");
}

TEST_CASE("a private PostgreSQL that died is started again") {
  temporary_folder folder;
  auto server = start(folder.path / "data");
  auto nothing = server->revive();
  REQUIRE(nothing);
  CHECK_FALSE(*nothing);
  const auto old = server->pid();
  ::kill(old, SIGKILL);
  CHECK(eventually([&] {
    auto again = server->revive();
    INFO((again ? "" : again.failure().message));
    REQUIRE(again);
    return *again;
  }));
  CHECK(server->pid() != old);
  CHECK(ask(server->url(), "SELECT 1") == "1");
}

TEST_CASE("a folder whose name is too long for a socket gets its socket elsewhere, and is told so") {
  temporary_folder folder;
  const auto data = folder.path / std::string(100, 'x');
  fs::path socket;
  {
    auto server = start(data);
    CHECK(ask(server->url(), "SELECT 1") == "1");
    socket = ask(server->url(), "SHOW unix_socket_directories");
    const auto notes = server->notes();
    CHECK(std::any_of(notes.begin(), notes.end(), [&](const auto& n) { return n.find(socket.string()) != std::string::npos; }));
  }
  CHECK_FALSE(fs::exists(socket));
}

TEST_CASE("data of another major version is refused with both versions in the sentence") {
  temporary_folder folder;
  fs::create_directories(folder.path / "data/postgres");
  std::ofstream(folder.path / "data/postgres/PG_VERSION") << "9\n";
  auto server = private_postgres::start(folder.path / "data");
  REQUIRE_FALSE(server);
  CHECK(server.failure().code == ec::incompatible);
  CHECK(server.failure().message.find("PostgreSQL 9, but this machine has PostgreSQL") != std::string::npos);
}

TEST_CASE("an initdb that was cut short is not taken for a database") {
  temporary_folder folder;
  fs::create_directories(folder.path / "data/postgres.new");
  std::ofstream(folder.path / "data/postgres.new/PG_VERSION") << "15\n";
  auto server = start(folder.path / "data");
  CHECK(ask(server->url(), "SELECT 1") == "1");
}

TEST_CASE("the installation chosen is the data's own version, else the newest") {
  const std::vector<postgres_programs> found{{"/17/initdb", "/17/postgres", 17}, {"/15/initdb", "/15/postgres", 15}};
  CHECK(choose_postgres(found, std::nullopt, "d")->major == 17);
  CHECK(choose_postgres(found, 15, "d")->major == 15);
  CHECK(choose_postgres(found, 14, "d").failure().code == ec::incompatible);
  CHECK(choose_postgres({}, std::nullopt, "d").failure().code == ec::unavailable);
}
