#include "cluster/postgres_programs.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>

#include <unistd.h>

namespace taskmaster {

namespace fs = std::filesystem;

namespace {

bool executable(const fs::path& file) { return ::access(file.c_str(), X_OK) == 0 && fs::is_regular_file(file); }

/// "postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)" reads 15; 0 when it says something else.
int major_of(const fs::path& postgres) {
  std::string quoted = "'";
  for (const char c : postgres.string()) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  const std::unique_ptr<FILE, int (*)(FILE*)> out(::popen((quoted + "' --version 2>/dev/null").c_str(), "re"), ::pclose);
  char line[256] = {};
  if (!out || !std::fgets(line, sizeof line, out.get())) return 0;
  const std::string text = line;
  const auto at = text.find(") ");
  return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + 2);
}

} // namespace

std::vector<postgres_programs> find_postgres_programs() {
  std::vector<postgres_programs> found;
  const auto add = [&](const fs::path& folder, int major) {
    const postgres_programs candidate{folder / "initdb", folder / "postgres", major};
    if (major > 0 && executable(candidate.initdb) && executable(candidate.postgres) &&
        std::none_of(found.begin(), found.end(), [&](const auto& f) { return f.major == major; }))
      found.push_back(candidate);
  };
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored))
    add(entry.path() / "bin", std::atoi(entry.path().filename().c_str()));
  if (const char* path = std::getenv("PATH")) {
    std::istringstream folders(path);
    for (std::string folder; std::getline(folders, folder, ':');)
      if (!folder.empty() && executable(fs::path(folder) / "postgres")) add(folder, major_of(fs::path(folder) / "postgres"));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.major > b.major; });
  return found;
}

expected<postgres_programs> choose_postgres(const std::vector<postgres_programs>& found, std::optional<int> data_major,
                                            const fs::path& data) {
  if (found.empty())
    return error(ec::unavailable, "PostgreSQL's server programs (initdb, postgres) are not installed; install the package "
                                  "`postgresql`, or name a database of your own in DATABASE_URL");
  if (!data_major) return found.front();
  for (const auto& one : found)
    if (one.major == *data_major) return one;
  std::string have;
  for (const auto& one : found) have += (have.empty() ? "" : ", ") + std::to_string(one.major);
  return error(ec::incompatible, "the data in " + data.string() + " was written by PostgreSQL " + std::to_string(*data_major) +
                                     ", but this machine has PostgreSQL " + have + "; install postgresql-" +
                                     std::to_string(*data_major) +
                                     ", or move the data over with pg_upgrade, or name another folder with --data");
}

} // namespace taskmaster
