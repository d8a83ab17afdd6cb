// task_store in memory, for deterministic tests: the same rules as postgres_store (tests/store_conformance),
// a clock that the test owns. Nothing survives the object. Several stores may share one database; calls lock
// it, none blocks for long.
#pragma once
#include "schema/store.hpp"

#include <functional>
#include <memory>

namespace taskmaster {

class memory_database; // what stores of one cluster share

std::shared_ptr<memory_database> make_memory_database(std::function<timestamp()> clock);
std::unique_ptr<task_store> make_memory_store(std::shared_ptr<memory_database> database);

} // namespace taskmaster
