// Tasks that wait for tasks: stored whole, kept away from the plan, told of ends.
#include "schema/graph.hpp"
#include "tests/store/worlds.hpp"

#include <algorithm>

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

/// A row that waits for these.
new_task child_of(std::vector<uuid> parents, otherwise_do otherwise = otherwise_do::cancel, awaited_end on = awaited_end::succeeded) {
  auto n = wanted();
  for (const auto& id : parents) n.after.push_back({id, {}, on, otherwise});
  return n;
}

new_task in_group(const std::string& group) {
  auto n = wanted();
  n.spec.options.group = group;
  return n;
}

new_task after_group(const std::string& group) {
  auto n = wanted();
  n.after.push_back({{}, group, awaited_end::succeeded, otherwise_do::cancel});
  return n;
}

std::vector<task> graph(task_store& store, const std::vector<new_task>& rows) {
  std::vector<task> tasks;
  for (auto& a : must(store.insert_graph(rows, limit))) {
    if (a.refused) FAIL(to_string(*a.refused));
    tasks.push_back(std::move(a.task));
  }
  return tasks;
}

/// Until nothing is left to tell; what was released on the way, by id.
std::map<uuid, task> tell_all(task_store& store, std::uint64_t term, std::size_t most = 1'000) {
  std::map<uuid, task> released;
  for (int pages = 0; pages < 1'000; ++pages) {
    auto page = must(store.follow_up(term, most, limit));
    for (auto& t : page.released) released[t.id] = std::move(t);
    if (!page.more) return released;
  }
  FAIL("the list does not get shorter");
  return released;
}

void end(task_store& store, std::uint64_t term, const task& t, task_state state = task_state::succeeded) {
  REQUIRE(change(store, term, finish_of(t, {term, 1}, state)).verdict == change_verdict::applied);
}

bool in_windows(task_store& store, const uuid& id) {
  for (const auto& bucket : must(store.buckets(limit)))
    for (const auto& t : must(store.load_window(bucket, window_mark::start(), 1'000, 1u << 20, limit)).tasks)
      if (t.id == id) return true;
  return false;
}

} // namespace

STORE_CASE("a task that waits is scheduled, named with what it waits for, and in no read of the leader but by id") {
  TestType world;
  auto store = world.connect();
  lead(*store);
  auto cursor = must(store->scan_start(limit));
  auto a = wanted(), b = child_of({a.id}, otherwise_do::fail);
  b.spec.concurrency_key = "k";
  auto t = graph(*store, {a, b});
  CHECK_FALSE(waits(t[0]));
  CHECK(waits(t[1]));
  auto shown = must(store->find(b.id, limit));
  CHECK(shown->state == task_state::scheduled);
  CHECK(shown->waits_for == 1);
  CHECK(must(store->awaits(b.id, 10, limit)) == std::vector<edge>{{a.id, {}, awaited_end::succeeded, otherwise_do::fail}});
  CHECK(in_windows(*store, a.id));
  CHECK_FALSE(in_windows(*store, b.id));
  CHECK_FALSE(must(store->load_window({"default", "noop", 0}, window_mark::start(), 1'000, 1u << 20, limit)).more);
  for (const auto& row : must(store->scan(cursor, 100, limit)).tasks) CHECK(row.id == a.id);
  CHECK(must(store->load_key_windows({{{"default", "noop", 0}, "k", window_mark::start()}}, 10, 1u << 20, limit)).at(0).tasks.empty());
  for (const auto& row : must(store->load_window_past({"default", "noop", 0}, window_mark::start(), 10, 1u << 20, {"x"}, 100, limit)).tasks)
    CHECK(row.id == a.id);
  CHECK(must(store->load({b.id}, limit)).size() == 1);
  auto queues = must(store->queues(limit));
  CHECK(queues.at(0).scheduled == 1);
  CHECK(queues.at(0).ready == 1);
}

STORE_CASE("a task is due when the last of those it waits for has succeeded, and the scan meets it then") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = wanted(), b = wanted(), c = child_of({a.id, b.id});
  auto t = graph(*store, {a, b, c});
  CHECK(tell_all(*store, term).empty());
  end(*store, term, t[0]);
  CHECK(tell_all(*store, term).empty());
  CHECK(must(store->find(c.id, limit))->waits_for == 1);
  auto cursor = must(store->scan_start(limit));
  auto before = must(store->clock(limit));
  end(*store, term, t[1]);
  auto released = tell_all(*store, term);
  REQUIRE(released.size() == 1);
  CHECK(released.at(c.id).run_at >= before);
  CHECK(released.at(c.id).run_at <= must(store->clock(limit)));
  CHECK_FALSE(fate_of(released.at(c.id)));
  CHECK(in_windows(*store, c.id));
  CHECK(must(store->scan(cursor, 100, limit)).tasks.size() == 1);
  CHECK(must(store->find(c.id, limit))->waits_for == 0);
  auto idle = must(store->follow_up(term, 10, limit));
  CHECK_FALSE(idle.more);
  CHECK_FALSE(idle.edges);
}

STORE_CASE("what becomes of a task whose parent did not succeed is for its edge to say") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto state = GENERATE(task_state::failed, task_state::cancelled, task_state::expired);
  auto a = wanted(), cancel = child_of({a.id}), fail = child_of({a.id}, otherwise_do::fail), run = child_of({a.id}, otherwise_do::run),
       any = child_of({a.id}, otherwise_do::cancel, awaited_end::finished);
  auto t = graph(*store, {a, cancel, fail, run, any});
  end(*store, term, t[0], state);
  auto released = tell_all(*store, term);
  REQUIRE(released.size() == 4);
  REQUIRE(fate_of(released.at(cancel.id)));
  CHECK(fate_of(released.at(cancel.id))->state == task_state::cancelled);
  CHECK(fate_of(released.at(cancel.id))->detail == "it was to run after task " + a.id.str() + ", which ended " + std::string(to_string(state)));
  CHECK(fate_of(released.at(fail.id))->state == task_state::failed);
  CHECK_FALSE(fate_of(released.at(run.id)));
  CHECK_FALSE(fate_of(released.at(any.id)));
  // Whoever leads next reads the decision from the row.
  CHECK(fate_of(must(store->load({cancel.id}, limit)).at(0)));
  CHECK(in_windows(*store, cancel.id));
}

STORE_CASE("of several edges one that cannot be satisfied decides, though others are open") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = wanted(), b = wanted(), c = child_of({a.id, b.id});
  auto t = graph(*store, {a, b, c});
  end(*store, term, t[0], task_state::failed);
  auto released = tell_all(*store, term);
  REQUIRE(released.size() == 1);
  CHECK(fate_of(released.at(c.id)));
  // Its end by the leader, and the end of the other parent, which finds nobody any more.
  end(*store, term, released.at(c.id), task_state::cancelled);
  end(*store, term, t[1]);
  CHECK(tell_all(*store, term).empty());
  CHECK_FALSE(must(store->follow_up(term, 10, limit)).edges);
}

STORE_CASE("run_at and delay count from the last end, and expires_at while it waits") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto now = must(store->clock(limit));
  auto a = wanted(), later = child_of({a.id}), past = child_of({a.id}), delayed = child_of({a.id}), brief = child_of({a.id});
  later.spec.run_at = now + 1h;
  past.spec.run_at = now - 1h;
  delayed.spec.delay = 90min + 250ms;
  brief.spec.expires_at = now + 30s;
  auto t = graph(*store, {a, later, past, delayed, brief});
  world.pass(30s);
  auto lapsed = tell_all(*store, term);
  REQUIRE(lapsed.size() == 1);
  CHECK(fate_of(lapsed.at(brief.id))->state == task_state::expired);
  auto before = must(store->clock(limit));
  end(*store, term, t[0]);
  auto released = tell_all(*store, term);
  REQUIRE(released.size() == 3);
  CHECK(released.at(later.id).run_at == now + 1h);
  CHECK(released.at(past.id).run_at >= before);
  CHECK(released.at(delayed.id).run_at >= before + 90min + 250ms);
}

STORE_CASE("a parent that had ended counts as it ended, and one that nobody knows refuses the graph whole") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto good = stored(*store, wanted()), bad = stored(*store, wanted());
  end(*store, term, good);
  end(*store, term, bad, task_state::failed);
  auto a = child_of({good.id}), b = child_of({bad.id});
  graph(*store, {a, b});
  auto released = tell_all(*store, term);
  REQUIRE(released.size() == 2);
  CHECK_FALSE(fate_of(released.at(a.id)));
  CHECK(fate_of(released.at(b.id)));

  auto nobody = uuid::make(must(store->clock(limit)));
  auto c = wanted(), d = child_of({c.id, nobody});
  d.spec.after = {{"c", {}, {}, {}}, {nobody.str(), {}, {}, {}}};
  auto answer = must(store->insert_graph({c, d}, limit));
  REQUIRE(answer[1].refused);
  CHECK(answer[1].refused->code == ec::unprocessable);
  CHECK(answer[1].refused->faults == std::vector<field_fault>{{"/after/1", "names task " + nobody.str() + ", and there is no such task"}});
  REQUIRE(answer[0].refused);
  CHECK_FALSE(must(store->find(c.id, limit)));
}

STORE_CASE("a group is whoever is in it and has not ended") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto over = stored(*store, in_group("g")), open = stored(*store, in_group("g"));
  stored(*store, in_group("other"));
  end(*store, term, over, task_state::failed);
  auto inside = in_group("g"), waiting = after_group("g");
  waiting.after.push_back({inside.id, {}, awaited_end::succeeded, otherwise_do::cancel}); // as resolve() has it
  auto t = graph(*store, {inside, waiting});
  CHECK(must(store->find(waiting.id, limit))->waits_for == 2);
  CHECK(tell_all(*store, term).empty());
  end(*store, term, open);
  CHECK(tell_all(*store, term).empty());
  end(*store, term, t[0]);
  CHECK(tell_all(*store, term).size() == 1);

  auto at_once = after_group("nobody is in it");
  auto alone = graph(*store, {at_once});
  CHECK_FALSE(waits(alone[0]));
  CHECK(in_windows(*store, at_once.id));
  task_filter filter;
  filter.group = "g";
  CHECK(must(store->list(filter, limit)).tasks.size() == 3);
}

STORE_CASE("a parent put back to work before its children were told is waited for again") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = wanted(), b = child_of({a.id}), c = child_of({a.id});
  auto t = graph(*store, {a, b, c});
  end(*store, term, t[0], task_state::failed);
  auto page = must(store->follow_up(term, 1, limit)); // one of the two is told
  REQUIRE(page.released.size() == 1);
  REQUIRE(page.more);
  auto again = must(store->reopen(term, a.id, limit));
  CHECK(tell_all(*store, term).empty());
  end(*store, term, again);
  auto released = tell_all(*store, term);
  REQUIRE(released.size() == 1);
  CHECK_FALSE(fate_of(released.begin()->second));
  CHECK(released.begin()->first != page.released[0].id);
}

STORE_CASE("a child that was cancelled, or put back to work, is not told") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = wanted(), b = child_of({a.id}), c = child_of({a.id}), d = child_of({b.id});
  auto t = graph(*store, {a, b, c, d});
  end(*store, term, t[1], task_state::cancelled);
  end(*store, term, t[2], task_state::cancelled);
  auto cascade = tell_all(*store, term);
  REQUIRE(cascade.size() == 1);
  CHECK(fate_of(cascade.at(d.id)));
  auto again = must(store->reopen(term, c.id, limit));
  CHECK_FALSE(waits(again));
  CHECK_FALSE(fate_of(again));
  end(*store, term, t[0], task_state::failed);
  CHECK(tell_all(*store, term).empty());
  CHECK_FALSE(fate_of(must(store->load({c.id}, limit)).at(0)));
}

STORE_CASE("many children of one parent are told in pages, and many parents of one child are counted") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto root = wanted(), last = wanted();
  std::vector<new_task> rows{root};
  for (int i = 0; i < 300; ++i) {
    rows.push_back(child_of({root.id}));
    last.after.push_back({rows.back().id, {}, awaited_end::succeeded, otherwise_do::cancel});
  }
  rows.push_back(last);
  auto t = graph(*store, rows);
  end(*store, term, t[0]);
  std::size_t released = 0, pages = 0;
  for (bool more = true; more; ++pages) {
    auto page = must(store->follow_up(term, 100, limit));
    CHECK(page.released.size() <= 100);
    released += page.released.size();
    more = page.more;
  }
  CHECK(released == 300);
  CHECK(pages <= 4);
  std::vector<task_change> ends;
  for (std::size_t i = 1; i <= 300; ++i) ends.push_back(finish_of(t[i], {term, i}));
  for (const auto& a : must(store->record(term, ends, limit)).answers) CHECK(a.verdict == change_verdict::applied);
  CHECK(tell_all(*store, term, 100).size() == 1);
}

STORE_CASE("a row of a graph whose key is taken stands for the first task") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto first = wanted();
  first.spec.unique_key = "u";
  auto holder = stored(*store, first);
  auto same = wanted(), next = child_of({same.id}), key = wanted();
  same.spec.unique_key = "u";
  next.spec.idempotency_key = "n";
  next.fingerprint = "1";
  auto answer = must(store->insert_graph({same, next}, limit));
  CHECK(answer[0].repeated);
  CHECK(answer[0].task.id == holder.id);
  CHECK_FALSE(answer[1].repeated);
  CHECK(must(store->awaits(next.id, 10, limit)).at(0).parent == holder.id);
  // The same graph again stores nothing.
  auto again = child_of({same.id});
  again.spec = next.spec;
  again.fingerprint = "1";
  answer = must(store->insert_graph({same, again}, limit));
  CHECK(answer[0].repeated);
  CHECK(answer[1].repeated);
  CHECK(answer[1].task.id == next.id);
  again.fingerprint = "2";
  again.spec.unique_key.clear();
  auto fresh = wanted();
  answer = must(store->insert_graph({fresh, again}, limit));
  CHECK(answer[0].refused);
  CHECK(answer[1].refused);
  CHECK_FALSE(must(store->find(fresh.id, limit)));
  CHECK(tell_all(*store, term).empty()); // marks the holder as followed
  end(*store, term, holder);
  CHECK(tell_all(*store, term).size() == 1);
}

STORE_CASE("only the leader tells") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = wanted(), b = child_of({a.id});
  auto t = graph(*store, {a, b});
  end(*store, term, t[0]);
  auto late = store->follow_up(term + 1, 10, limit);
  REQUIRE_FALSE(late);
  CHECK(late.failure().code == ec::deposed);
  CHECK(tell_all(*store, term).size() == 1);
}

STORE_CASE("a task that was released since it was read is not changed back into one that waits") {
  TestType world;
  auto store = world.connect();
  const auto term = lead(*store).term;
  const auto parent = must(store->insert({wanted()}, limit)).at(0).task;
  auto child = wanted();
  child.after = {{parent.id, {}, awaited_end::finished, otherwise_do::run}};
  const auto read = must(store->insert_graph({child}, limit)).at(0).task;
  REQUIRE(waits(read));
  REQUIRE(must(store->edit(term, {version_of(read), read, {}, {}}, limit))); // while it waits it can be changed
  const auto waiting = must(store->load({read.id}, limit)).at(0);
  must(store->record(term, {finish_of(parent, {term, 1})}, limit));
  std::size_t released = 0;
  for (auto more = true; more;) {
    const auto page = must(store->follow_up(term, 10, limit));
    released += page.released.size();
    more = page.more;
  }
  REQUIRE(released == 1);
  CHECK_FALSE(must(store->edit(term, {version_of(waiting), waiting, {}, {}}, limit)));
  const auto now = must(store->load({read.id}, limit)).at(0);
  CHECK_FALSE(waits(now));
  CHECK(must(store->edit(term, {version_of(now), now, {}, {}}, limit)));
}

STORE_CASE("graphs of different requests that each wait for the other's group do not wait in a circle") {
  TestType world;
  auto store = world.connect();
  lead(*store);
  const auto in_group = [](const std::string& group, const std::string& awaited) {
    auto n = wanted();
    n.spec.options.group = group;
    n.after = {{{}, awaited, awaited_end::finished, otherwise_do::run}};
    return n;
  };
  const std::vector<new_task> rows{in_group("a", "b"), wanted(), in_group("b", "a"), in_group("b", "b")};
  const auto stored = must(insert_graphs(*store, rows, {1, 1, 1, 1}, limit));
  REQUIRE(stored.size() == 4);
  CHECK_FALSE(waits(stored[0].task)); // the first finds nobody,
  CHECK(stored[2].task.id == rows[2].id);
  const auto awaited = [&](std::size_t row) {
    std::set<uuid> ids;
    for (const auto& e : must(store->awaits(rows[row].id, 10, limit))) ids.insert(e.parent);
    return ids;
  };
  CHECK(awaited(2) == std::set{rows[0].id}); // and each other those before it
  CHECK(awaited(3) == std::set{rows[2].id});
}
