// The SQL files of schema/, compiled into the binary by cmake/EmbedSql.cmake.
// Used by the migrator and by postgres_store. Immutable, safe on any thread.
#pragma once
#include <string_view>
#include <vector>

namespace taskmaster {

struct sql_file {
  std::string_view name; // "migrations/0001_tables.sql"
  std::string_view text;
};

const std::vector<sql_file>& embedded_sql();

} // namespace taskmaster
