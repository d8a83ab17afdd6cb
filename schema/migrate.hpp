// Brings a database's `taskmaster` schema up to this binary's: numbered files, forward only, one transaction
// each, safe when several processes start at once, refused when the database is newer. Blocks; called at
// start by every role.
#pragma once
#include "schema/error.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace taskmaster {

struct migrated {
  int version = 0;                   // of the schema now
  std::vector<std::string> applied;  // files that this call applied
  std::vector<std::string> warnings; // fsync off, synchronous_commit off, …: what weakens the promise
};

struct schema_version {
  int found = 0; // 0: no schema yet
  int known = 0; // the newest that this binary has
};
/// Reads only.
expected<schema_version> schema_version_of(const std::string& url, std::chrono::milliseconds limit);

expected<migrated> migrate(const std::string& url, std::chrono::milliseconds limit);

} // namespace taskmaster
