#include "tests/store/pooler.hpp"

#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace taskmaster::test {

namespace fs = std::filesystem;

namespace {
constexpr auto program = "/usr/sbin/pgbouncer";
}

bool pooler::installed() { return fs::exists(program); }

pooler::pooler(const std::string& database_url, const std::string& mode, int sessions) {
  auto pattern = (fs::temp_directory_path() / "taskmaster-pooler-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
  folder_ = pattern;
  const auto host = database_url.substr(database_url.find("host=") + 5);
  std::ofstream(folder_ + "/ini") << "[databases]\n* = host=" << host << " user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = " << folder_
                                  << "\nauth_type = any\npool_mode = " << mode << "\ndefault_pool_size = " << sessions << "\nlogfile = " << folder_ << "/log\n";
  auto* other = ::geteuid() == 0 ? ::getpwnam("postgres") : nullptr; // it refuses to run as root
  if (other && ::chown(folder_.c_str(), other->pw_uid, other->pw_gid) != 0) throw std::runtime_error("cannot hand the folder over");
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    if (other && (::setgroups(0, nullptr) != 0 || ::setresgid(other->pw_gid, other->pw_gid, other->pw_gid) != 0 ||
                  ::setresuid(other->pw_uid, other->pw_uid, other->pw_uid) != 0))
      ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    const auto nowhere = ::open("/dev/null", O_RDWR);
    ::dup2(nowhere, 1);
    ::dup2(nowhere, 2);
    ::execl(program, program, "-q", (folder_ + "/ini").c_str(), nullptr);
    ::_exit(127);
  }
  url_ = database_url.substr(0, database_url.find("host=")) + "host=" + folder_ + "&port=6432";
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (PQping(url_.c_str()) != PQPING_OK) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_ || std::chrono::steady_clock::now() > until) {
      pid_ = 0;
      throw std::runtime_error("PgBouncer does not start; see " + folder_ + "/log");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

pooler::~pooler() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

} // namespace taskmaster::test
