#include "schema/migrate.hpp"

#include "schema/embedded_sql.hpp"
#include "schema/postgres_connection.hpp"
#include "schema/server_check.hpp"

#include <algorithm>
#include <cstdlib>

namespace taskmaster {

namespace {

using namespace postgres;

/// Serialises migrators. Any number that nobody else would take.
constexpr std::int64_t migration_lock = 0x7461736b6d617374; // "taskmast"

struct migration {
  int version = 0;
  std::string name; // "0001_tables"
  std::string_view text;
};

std::vector<migration> migrations() {
  constexpr std::string_view folder = "migrations/", ending = ".sql";
  std::vector<migration> found;
  for (const auto& file : embedded_sql())
    if (file.name.starts_with(folder)) {
      auto name = file.name.substr(folder.size());
      name.remove_suffix(ending.size());
      found.push_back({std::atoi(std::string(name.substr(0, 4)).c_str()), std::string(name), file.text});
    }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.version < b.version; });
  return found;
}

/// Nothing there yet: 0.
expected<int> version_of(connection& db, steady_time deadline) {
  auto table =
      db.run_text("SELECT to_regclass('taskmaster.migrations') IS NOT NULL", {}, deadline, effect::read);
  if (!table) return table.failure();
  if (!table->boolean(0, 0)) return 0;
  auto version =
      db.run_text("SELECT coalesce(max(version), 0) FROM taskmaster.migrations", {}, deadline, effect::read);
  if (!version) return version.failure();
  return version->int4(0, 0);
}

/// CREATE SCHEMA IF NOT EXISTS would need the right to create schemas also where ours is there.
///
/// One file in one transaction, which first takes the lock, then its row: a migrator that comes second finds
/// the row and fails on it, which is told apart from a failure of the file by asking for the version again.
std::string transaction_of(const migration& m) {
  // The names of files are ours: letters, digits and underscores.
  auto version = std::to_string(m.version);
  return "BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(" + std::to_string(migration_lock) +
         "); DO $$ BEGIN IF to_regnamespace('taskmaster') IS NULL THEN CREATE SCHEMA taskmaster; END IF; END $$; CREATE TABLE IF NOT EXISTS taskmaster.migrations "
         "(version integer NOT NULL CONSTRAINT "
         "migrations_version PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT "
         "clock_timestamp()); "
         "INSERT INTO taskmaster.migrations (version, name) VALUES (" +
         version + ", '" + m.name + "');\n" + std::string(m.text) + "\nCOMMIT";
}

/// Settings that weaken "nothing accepted is lost".
expected<std::vector<std::string>> warnings_of(connection& db, steady_time deadline) {
  auto found = db.run_text("SELECT current_setting('fsync'), current_setting('full_page_writes'), "
                           "current_setting('synchronous_commit')",
                           {}, deadline, effect::read);
  if (!found) return found.failure();
  std::vector<std::string> warnings;
  if (found->text(0, 0) == "off")
    warnings.push_back("fsync is off: a crash of the machine may lose or damage everything; turn it on");
  if (found->text(0, 1) == "off")
    warnings.push_back("full_page_writes is off: a crash of the machine may damage the database; turn it on");
  if (found->text(0, 2) == "off")
    warnings.push_back("synchronous_commit is off: a crash may lose tasks that were acknowledged; set it to "
                       "on for this role or database");
  return warnings;
}

} // namespace

expected<schema_version> schema_version_of(const std::string& url, std::chrono::milliseconds limit) {
  connection db(url, "taskmaster", session::shared);
  const auto found = version_of(db, std::chrono::steady_clock::now() + limit);
  if (!found) return for_operator(found.failure(), db.sqlstate());
  const auto known = migrations();
  return schema_version{*found, known.empty() ? 0 : known.back().version};
}

expected<migrated> migrate(const std::string& url, std::chrono::milliseconds limit) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  if (auto usable = check_server(url, deadline); !usable) return usable.failure();
  connection db(url, "taskmaster migrate");
  auto known = migrations();
  auto version = version_of(db, deadline);
  if (!version) return for_operator(version.failure(), db.sqlstate());
  migrated answer;
  for (const auto& m : known) {
    if (m.version <= *version) continue;
    auto applied = db.run_script(transaction_of(m), deadline);
    if (applied) {
      answer.applied.push_back(m.name);
      *version = m.version;
      continue;
    }
    // The failed transaction is still open; a new connection begins outside of it.
    const auto sqlstate = db.sqlstate();
    db.drop();
    auto now = version_of(db, deadline);
    if (!now) return now.failure();
    if (*now < m.version) {
      auto e = for_operator(applied.failure(), sqlstate);
      e.message = "migration " + m.name + " failed, the database is as before: " + e.message;
      return e;
    }
    *version = *now; // somebody else applied it meanwhile
  }
  auto newest = known.empty() ? 0 : known.back().version;
  if (*version > newest)
    return error{ec::incompatible,
                 "the database's taskmaster schema has version " + std::to_string(*version) +
                     ", this binary knows " + std::to_string(newest) +
                     "; start a newer taskmaster, an older one would not understand the tables"};
  // Today's partition may be missing where no leader kept house for a week.
  if (auto days = db.run("make_partitions", parameters().add(std::int32_t{7}), deadline, effect::write);
      !days)
    return for_operator(days.failure(), db.sqlstate());
  auto warnings = warnings_of(db, deadline);
  if (!warnings) return for_operator(warnings.failure(), db.sqlstate());
  answer.version = *version;
  answer.warnings = std::move(*warnings);
  return answer;
}

} // namespace taskmaster
