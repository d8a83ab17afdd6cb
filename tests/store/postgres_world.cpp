#include "schema/postgres_store.hpp"
#include "tests/store/postgres_server.hpp"
#include "tests/store/worlds.hpp"

#include <thread>

namespace taskmaster::test {

postgres_world::postgres_world() : url_(postgres_server::shared().fresh_database()) {}

std::unique_ptr<task_store> postgres_world::connect() {
  return make_postgres_store({url_, "taskmaster test"});
}

void postgres_world::pass(duration d) {
  auto store = connect();
  auto until = must(store->clock(limit)) + d;
  while (must(store->clock(limit)) <= until) std::this_thread::yield();
}

std::string postgres_world::sql(const std::string& text) { return test::sql(url_, text); }

} // namespace taskmaster::test
