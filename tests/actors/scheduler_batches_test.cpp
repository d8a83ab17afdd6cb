// How submits become batches: what comes while one is being stored is the next, and a full one takes the overflow lane.
#include "schema/memory_database.hpp"
#include "tests/actors/cluster_fixture.hpp"
#include "tests/catch.hpp"

using namespace std::chrono_literals;
using namespace taskmaster;
using namespace taskmaster::test;

TEST_CASE_METHOD(cluster_fixture, "a full batch goes beside the one that is being stored, a smaller one waits for it") {
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  std::size_t answered = 0;
  const auto ask_for = [&](std::size_t rows) {
    return self->request(s, caf::infinite, submit_atom::value, submit_request{std::vector<task_spec>(rows, spec())});
  };
  const auto hear = [&](auto& request) {
    settle();
    request.receive([&](const submit_answer& a) { answered += a ? a->size() : 0; }, [](const caf::error&) {});
  };
  submits->hold = true;
  auto first = ask_for(1);
  settle();
  CHECK(database->tasks.size() == 1);
  auto most = ask_for(999);
  settle();
  CHECK(database->tasks.size() == 1);
  auto last = ask_for(1);
  settle();
  CHECK(database->tasks.size() == 1'001);
  hear(most);
  hear(last);
  CHECK(answered == 1'000);
  auto later = ask_for(1); // the overflow lane is free again, and this is no full batch
  settle();
  CHECK(database->tasks.size() == 1'001);
  submits->release();
  hear(first);
  hear(later);
  CHECK(answered == 1'002);
  CHECK(database->tasks.size() == 1'002);
}
