#include "schema/checkup.hpp"

#include "schema/drift.hpp"
#include "schema/migrate.hpp"
#include "schema/postgres_connection.hpp"

#include <algorithm>
#include <array>

namespace taskmaster {
namespace {

using namespace postgres;
using grade = finding::type;

finding::type grade_of(std::string_view text) {
  for (const auto g : {grade::good, grade::note, grade::warn})
    if (to_string(g) == text) return g;
  return grade::bad;
}

/// Both clocks are read around one question: the database's must lie between, or differs by what is missing at least.
finding clocks(connection& db, steady_time deadline) {
  const auto before = std::chrono::system_clock::now();
  const auto read = db.run("clock", {}, deadline, effect::read);
  const auto after = std::chrono::system_clock::now();
  if (!read) return {grade::warn, "clocks", read.failure().message, ""};
  const auto there = read->timestamp(0, 0);
  const auto lag = std::chrono::duration_cast<duration>(before - there), lead = std::chrono::duration_cast<duration>(there - after);
  const auto off = std::max({lag, lead, duration{0}});
  if (off <= std::chrono::milliseconds(500))
    return {grade::good, "clocks", "this machine and the database agree to " + format_duration(std::chrono::ceil<std::chrono::milliseconds>(off)), ""};
  return {grade::warn, "clocks", "the database's clock is " + std::string(lag > lead ? "behind" : "ahead of") + " this machine's by " + format_duration(off) + " or more",
          "tasks start by the database's clock; set the time of both by NTP"};
}

constexpr std::size_t told_most = 20;

/// What somebody changed in the schema besides the migrations. A role that is older or newer than the database expects another one.
void look_for_drift(connection& db, steady_time deadline, std::vector<finding>& out) {
  const auto is = read_catalog(db, deadline);
  if (!is) {
    out.push_back({grade::warn, "drift", "could not be looked at: " + is.failure().message, ""});
    return;
  }
  const auto found = differences(expected_catalog(), *is);
  if (found.empty()) out.push_back({grade::good, "drift", "the schema is as the migrations make it: " + std::to_string(is->size()) + " things compared", ""});
  for (std::size_t i = 0; i < std::min(found.size(), told_most); ++i)
    out.push_back({found[i].harmless ? grade::note : grade::bad, "drift", found[i].sentence,
                   found[i].harmless ? "" : "somebody changed it by hand; make it again as schema/migrations has it"});
  if (found.size() > told_most) out.push_back({grade::bad, "drift", "and " + std::to_string(found.size() - told_most) + " more differences", ""});
}

} // namespace

std::string_view to_string(finding::type g) {
  constexpr std::array<std::string_view, 4> names{"good", "note", "warn", "bad"};
  return names[static_cast<std::size_t>(g)];
}

expected<std::vector<finding>> check_up(const std::string& url, std::chrono::milliseconds each) {
  connection db(url, "taskmaster doctor", session::shared);
  const auto deadline = [&] { return std::chrono::steady_clock::now() + each; };
  if (const auto there = db.connect(deadline()); !there) return there.failure();
  std::vector<finding> out;
  const auto version = schema_version_of(url, each);
  if (!version) return version.failure();
  const auto& [found, known] = *version;
  const auto told = "version " + std::to_string(found) + ", this binary knows " + std::to_string(known);
  if (found == 0) {
    out.push_back({grade::bad, "schema", "there is no taskmaster schema in this database", "run: taskmaster migrate, or start any role"});
    return out;
  }
  if (found < known) out.push_back({grade::warn, "schema", told, "run: taskmaster migrate"});
  else if (found > known) out.push_back({grade::bad, "schema", told, "use a newer taskmaster"});
  else out.push_back({grade::good, "schema", told, ""});
  if (found == known) look_for_drift(db, deadline(), out);
  out.push_back(clocks(db, deadline()));
  for (const auto* check : {"server", "leader", "history", "sessions", "bloat", "plans", "outcomes", "keys", "overdue"}) {
    const auto rows = db.run(std::string("check_") + check, {}, deadline() + std::chrono::seconds(1), effect::read);
    if (!rows) {
      out.push_back({grade::warn, check, "could not be looked at: " + rows.failure().message, ""});
      continue;
    }
    std::vector<finding> mine;
    for (int row = 0; row < rows->count(); ++row) mine.push_back({grade_of(rows->text(row, 0)), check, rows->text(row, 1), rows->text(row, 2)});
    // "All is well" is said only where nothing else is.
    if (mine.size() > 1) std::erase_if(mine, [](const finding& f) { return f.grade == grade::good; });
    out.insert(out.end(), mine.begin(), mine.end());
  }
  return out;
}

} // namespace taskmaster
