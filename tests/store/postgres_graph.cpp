// The race between an end and somebody who begins to wait for it, in every order that two sessions can take; and what it must not lock.
#include "schema/graph.hpp"
#include "tests/store/somebody.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

new_task child_of(const uuid& parent) {
  auto n = wanted();
  n.after.push_back({parent, {}, awaited_end::succeeded, otherwise_do::cancel});
  return n;
}

/// A finish by a session of its own, which may stay open.
std::string finish_text(std::uint64_t term, const uuid& id) {
  return "SELECT taskmaster.finish_tasks_v2(" + std::to_string(term) + ", ARRAY['" + id.str() +
         "'::uuid], '{1}', '{0}', '{succeeded}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{w}', '{1}', '{1}', '{NULL}', '{NULL}')";
}

/// An edge made by an application's own transaction: the rows that insert_graph makes.
std::string wait_text(const uuid& parent, const uuid& child) {
  return "INSERT INTO taskmaster.tasks (id, queue, kind, run_at, created_at, payload, waits_for) VALUES ('" + child.str() +
         "', 'default', 'late', 'infinity', clock_timestamp(), 'null', 1); INSERT INTO taskmaster.edges VALUES ('" + parent.str() + "', '" +
         child.str() + "', false, 'cancel'); INSERT INTO taskmaster.follow_ups (parent) VALUES ('" + parent.str() + "')";
}

std::vector<task> tell_all(task_store& store, std::uint64_t term) {
  std::vector<task> released;
  for (bool more = true; more;) {
    auto page = must(store.follow_up(term, 1'000, limit));
    released.insert(released.end(), page.released.begin(), page.released.end());
    more = page.more;
  }
  return released;
}

} // namespace

TEST_CASE("an edge that is committed after its parent's end is told of it, whoever began first", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto parent = stored(*store, wanted());
  const auto child = uuid::make(must(store->clock(limit)));
  somebody application(world.url());
  REQUIRE(application.does("BEGIN; " + wait_text(parent.id, child)));
  // Nobody waits for the application: the end is recorded, and told to nobody.
  CHECK(change(*store, term, finish_of(parent, {term, 1})).verdict == change_verdict::applied);
  CHECK(tell_all(*store, term).empty());
  REQUIRE(application.does("COMMIT"));
  auto released = tell_all(*store, term);
  REQUIRE(released.size() == 1);
  CHECK(released[0].id == child);
}

TEST_CASE("a graph whose edges are all its own has nobody to look up: its parents are not put on the list", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  lead(*store);
  const auto parent = wanted();
  for (const auto& a : must(store->insert_graph({parent, child_of(parent.id), child_of(parent.id)}, limit))) REQUIRE_FALSE(a.refused);
  CHECK(world.sql("SELECT count(*) FROM taskmaster.follow_ups") == "0");
  CHECK(world.sql("SELECT count(*) FROM taskmaster.edges") == "2");
}

TEST_CASE("a look at a parent that is just being finished waits for that end and sees it", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto parent = stored(*store, wanted());
  somebody lane(world.url()); // a call that was given up, whose statement goes on
  REQUIRE(lane.does("BEGIN; " + finish_text(term, parent.id)));
  auto child = child_of(parent.id);
  REQUIRE_FALSE(must(store->insert_graph({child}, limit)).at(0).refused); // waits for nobody
  std::thread commits([&] {
    until_somebody_waits(world.url());
    lane.does("COMMIT");
  });
  auto released = tell_all(*store, term);
  commits.join();
  REQUIRE(released.size() == 1);
  CHECK(released[0].id == child.id);
}

TEST_CASE("an end that waits for the look at its row notes itself", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto parent = stored(*store, wanted());
  auto child = child_of(parent.id);
  REQUIRE_FALSE(must(store->insert_graph({child}, limit)).at(0).refused);
  somebody looking(world.url());
  REQUIRE(looking.does("BEGIN; SELECT * FROM taskmaster.follow_up_v1(" + std::to_string(term) + ", 1000, 1000000)"));
  std::thread commits([&] {
    until_somebody_waits(world.url());
    looking.does("COMMIT");
  });
  CHECK(change(*store, term, finish_of(parent, {term, 1})).verdict == change_verdict::applied);
  commits.join();
  CHECK(tell_all(*store, term).size() == 1);
}

TEST_CASE("an end that is told while another look at it is under way is told once", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto parent = stored(*store, wanted());
  auto child = child_of(parent.id);
  REQUIRE_FALSE(must(store->insert_graph({child}, limit)).at(0).refused);
  CHECK(tell_all(*store, term).empty());
  CHECK(change(*store, term, finish_of(parent, {term, 1})).verdict == change_verdict::applied);
  somebody looking(world.url());
  REQUIRE(looking.does("BEGIN; SELECT * FROM taskmaster.follow_up_v1(" + std::to_string(term) + ", 1000, 1000000)"));
  std::thread commits([&] {
    until_somebody_waits(world.url());
    looking.does("COMMIT");
  });
  CHECK(tell_all(*store, term).empty());
  commits.join();
  CHECK(must(store->find(child.id, limit))->waits_for == 0);
  CHECK(must(store->load({child.id}, limit)).at(0).run_at < timestamp::max());
}

TEST_CASE("without work the list costs the leader no transaction of its own", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  must(store->follow_up(term, 1'000, limit));
  auto before = world.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())");
  must(store->follow_up(term, 1'000, limit));
  CHECK(world.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())") == before);
}

TEST_CASE("a waiting row is made due by nothing but its last edge", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto parent = stored(*store, wanted());
  auto child = child_of(parent.id);
  REQUIRE_FALSE(must(store->insert_graph({child}, limit)).at(0).refused);
  somebody hand(world.url());
  CHECK_FALSE(hand.does("UPDATE taskmaster.tasks SET run_at = clock_timestamp() WHERE id = '" + child.id.str() + "'"));
}

TEST_CASE("an application's transaction makes what it submits wait, and only that", "[postgres]") {
  postgres_world world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto earlier = stored(*store, wanted());
  somebody application(world.url());
  REQUIRE(application.does("BEGIN"));
  const auto first = application.value("SELECT taskmaster.run_after(taskmaster.submit('noop'), in_group => 'g')");
  const auto second = application.value("SELECT taskmaster.run_after(taskmaster.submit('noop', delay => '1 hour'), '[{\"group\": \"g\"}, \"" +
                                        earlier.id.str() + "\"]')");
  REQUIRE(application.does("COMMIT"));
  const auto child = *uuid::parse(second);
  CHECK(must(store->find(child, limit))->waits_for == 2);
  for (const auto* bad : {"'[\"x\"]'", "'[\"01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1\"]'", "'{}'", "'[{\"ref\": 1, \"group\": \"g\"}]'"})
    CHECK_FALSE(application.does("SELECT taskmaster.run_after(taskmaster.submit('noop'), " + std::string(bad) + ")"));
  REQUIRE(application.does("BEGIN"));
  const auto own = application.value("SELECT taskmaster.run_after(taskmaster.submit('noop'), to_jsonb(ARRAY['" + first + "'::uuid]))");
  CHECK_FALSE(application.does("SELECT taskmaster.run_after('" + own + "', to_jsonb(ARRAY['" + own + "'::uuid]))"));
  application.does("ROLLBACK");
  // A task of before stays as it is.
  CHECK(application.value("SELECT taskmaster.run_after('" + first + "', to_jsonb(ARRAY['" + second + "'::uuid]))") == first);
  CHECK(must(store->find(*uuid::parse(first), limit))->waits_for == 0);

  CHECK(tell_all(*store, term).empty());
  CHECK(change(*store, term, finish_of(earlier, {term, 1})).verdict == change_verdict::applied);
  CHECK(change(*store, term, finish_of(must(store->load({*uuid::parse(first)}, limit)).at(0), {term, 2})).verdict == change_verdict::applied);
  const auto released = tell_all(*store, term);
  REQUIRE(released.size() == 1);
  CHECK(released[0].id == child);
  CHECK(released[0].run_at > released[0].created_at + 59min);
}
