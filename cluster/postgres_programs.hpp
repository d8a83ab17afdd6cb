// Where this machine keeps PostgreSQL's server programs. Used by private_postgres and `doctor`. Reads the file system; any thread.
#pragma once
#include "schema/error.hpp"

#include <filesystem>
#include <optional>
#include <vector>

namespace taskmaster {

struct postgres_programs {
  std::filesystem::path initdb, postgres;
  int major = 0;
};

/// Every installation found, newest first: Debian's /usr/lib/postgresql/<major>/bin, then whatever PATH has.
std::vector<postgres_programs> find_postgres_programs();

/// The installation for a data folder: its own major version where the folder holds one, else the newest.
expected<postgres_programs> choose_postgres(const std::vector<postgres_programs>& found, std::optional<int> data_major,
                                            const std::filesystem::path& data);

} // namespace taskmaster
