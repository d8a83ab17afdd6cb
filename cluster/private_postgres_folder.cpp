#include "cluster/private_postgres_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace taskmaster {

namespace fs = std::filesystem;

std::optional<system_user> user_for_postgres() {
  for (const char* name : {"postgres", "nobody"})
    if (const passwd* entry = ::getpwnam(name)) return system_user{name, entry->pw_uid, entry->pw_gid};
  return std::nullopt;
}

expected<done> own(const fs::path& path, const std::optional<system_user>& as, mode_t mode) {
  if ((as && ::chown(path.c_str(), as->uid, as->gid) != 0) || ::chmod(path.c_str(), mode) != 0)
    return error(ec::internal, "cannot set owner and mode of " + path.string() + ": " + std::strerror(errno));
  return done{};
}

expected<done> make_owned_folder(const fs::path& folder, const std::optional<system_user>& as) {
  std::error_code fault;
  if (fs::exists(folder, fault)) {
    if (!fs::is_directory(folder, fault)) return error(ec::conflict, folder.string() + " is not a folder");
    // An empty one was made for us (mktemp -d); one with files may be /tmp or somebody's home.
    if (as && fs::is_empty(folder, fault) && !fault) return own(folder, as, 0700);
    return done{};
  }
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), fault);
  if (fault || (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST))
    return error(ec::internal, "cannot make the folder " + folder.string() + ": " +
                                   (fault ? fault.message() : std::string(std::strerror(errno))));
  return own(folder, as, 0700);
}

expected<done> check_reachable(const fs::path& folder, const std::optional<system_user>& as) {
  if (!as) return done{};
  for (auto at = folder;; at = at.parent_path()) {
    struct stat info {};
    if (::stat(at.c_str(), &info) != 0)
      return error(ec::internal, "cannot look at " + at.string() + ": " + std::strerror(errno));
    const bool passes = info.st_uid == as->uid   ? (info.st_mode & S_IXUSR) != 0
                        : info.st_gid == as->gid ? (info.st_mode & S_IXGRP) != 0
                                                 : (info.st_mode & S_IXOTH) != 0;
    if (!passes)
      return error(ec::unprocessable, "user " + as->name + ", as whom PostgreSQL has to run since it refuses root, cannot pass " +
                                          at.string() + "; name a folder elsewhere with --data, or chmod o+x that one");
    if (at == at.parent_path()) return done{};
  }
}

expected<fs::path> make_short_folder() {
  std::string pattern = ::geteuid() == 0 && ::access("/run", W_OK) == 0 ? "/run/taskmaster-XXXXXX" : "/tmp/taskmaster-XXXXXX";
  if (!::mkdtemp(pattern.data()))
    return error(ec::internal, "cannot make a folder like " + pattern + ": " + std::strerror(errno));
  return fs::path(pattern);
}

expected<std::optional<int>> major_version_of(const fs::path& cluster) {
  std::error_code fault;
  if (!fs::exists(cluster, fault)) return std::optional<int>();
  int major = 0;
  std::ifstream in(cluster / "PG_VERSION");
  if (!(in >> major) || major <= 0)
    return error(ec::conflict, cluster.string() + " exists but is not a PostgreSQL data folder (no readable PG_VERSION); move it "
                                                  "away, or name another folder with --data");
  return std::optional<int>(major);
}

bool is_server_of(pid_t pid, const fs::path& cluster) {
  std::error_code fault;
  const auto process = fs::path("/proc") / std::to_string(pid);
  const auto program = fs::read_symlink(process / "exe", fault).filename().string();
  if (fault || program.rfind("postgres", 0) != 0) return false;
  return fs::equivalent(process / "cwd", cluster, fault) && !fault;
}

std::string tail_of(const fs::path& log) {
  std::ifstream in(log, std::ios::ate);
  if (!in) return "(no log)";
  const auto size = static_cast<std::streamoff>(in.tellg());
  in.seekg(std::max<std::streamoff>(0, size - 600));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines.push_back(line);
  std::string text;
  for (auto at = lines.size() > 4 ? lines.size() - 4 : 0; at < lines.size(); ++at) text += (text.empty() ? "" : " | ") + lines[at];
  return text;
}

} // namespace taskmaster
