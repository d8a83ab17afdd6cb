// task_store over one libpq connection: prepared statements, binary parameters, a deadline on each call,
// reconnects by itself with backoff on the next call after a failure. One thread at a time; blocks, so it
// lives in a detached lane.
#pragma once
#include "schema/store.hpp"

#include <memory>

namespace taskmaster {

struct postgres_options {
  std::string url;              // libpq URI; several hosts allowed
  std::string application_name; // seen in pg_stat_activity: "taskmaster coordinator: outcomes"
};

/// Connects on the first call, not here.
std::unique_ptr<task_store> make_postgres_store(postgres_options options);

} // namespace taskmaster
