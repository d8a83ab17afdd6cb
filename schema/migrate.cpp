#include "schema/migrate.hpp"

#include "schema/embedded_sql.hpp"
#include "schema/postgres_connection.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

int number_of(std::string_view file) { return std::stoi(std::string(file.substr(file.find('/') + 1, 4))); }

} // namespace

expected<migrated> migrate(const std::string& url, std::chrono::milliseconds limit) {
  postgres::connection c(url, "taskmaster migrate");
  std::vector<sql_file> files;
  for (const auto& f : embedded_sql())
    if (f.name.starts_with("migrations/")) files.push_back(f);
  std::sort(files.begin(), files.end(), [](const sql_file& a, const sql_file& b) { return a.name < b.name; });
  // One transaction under one lock: processes that start together do it one after the other, and a failed file leaves nothing behind.
  auto begun = c.script("BEGIN; SELECT pg_advisory_xact_lock(hashtext('taskmaster.migrations')); SET LOCAL client_min_messages = warning;"
                        "CREATE SCHEMA IF NOT EXISTS taskmaster; CREATE TABLE IF NOT EXISTS taskmaster.migrations ("
                        "number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp());"
                        "SELECT coalesce(max(number), 0)::text FROM taskmaster.migrations",
                        limit);
  if (!begun) return begun.failure();
  migrated out;
  const int there = std::stoi(PQgetvalue(begun->get(), 0, 0));
  const int newest = files.empty() ? 0 : number_of(files.back().name);
  if (there > newest)
    return error(ec::incompatible, "the database's schema has version " + std::to_string(there) + ", this build knows " + std::to_string(newest) +
                                       "; run a newer taskmaster");
  for (const auto& f : files) {
    if (number_of(f.name) <= there) continue;
    const auto insert = "INSERT INTO taskmaster.migrations (number, name) VALUES (" + std::to_string(number_of(f.name)) + ", '" + std::string(f.name) + "')";
    if (auto r = c.script(insert, limit); !r) return r.failure();
    if (auto r = c.script(std::string(f.text), limit); !r) return error(r.failure().code, std::string(f.name) + ": " + r.failure().message);
    out.applied.emplace_back(f.name);
  }
  if (auto r = c.script("COMMIT", limit); !r) return r.failure();
  if (auto r = c.script("SELECT taskmaster.make_partitions_v1(7)", limit); !r) return r.failure();
  out.version = newest;
  auto settings = c.script("SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'", limit);
  if (settings)
    for (int i = 0; i < PQntuples(settings->get()); ++i)
      out.warnings.push_back(std::string(PQgetvalue(settings->get(), i, 0)) + " is off: a crash of the database may lose what was acknowledged");
  return out;
}

} // namespace taskmaster
