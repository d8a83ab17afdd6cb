// The leader's writes: guards, verdicts, terms.
#include "tests/store/worlds.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

STORE_CASE("a finish moves the task out of the unfinished") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  CHECK(must(store->load({t.id}, limit)).size() == 1);
  CHECK(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
  CHECK(must(store->load({t.id}, limit)).empty());
  CHECK(must(store->buckets(limit)).empty());
}

STORE_CASE("a second finish with the same fence says already, with another it says stale") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  auto c = finish_of(t, {term, 7});
  c.result = "1";
  CHECK(change(*store, term, c).verdict == change_verdict::applied);
  c.result = "2";
  CHECK(change(*store, term, c).verdict == change_verdict::already);
  c.fence.sequence = 8;
  CHECK(change(*store, term, c).verdict == change_verdict::stale);
  CHECK(must(store->find(t.id, limit))->result == "1");
}

STORE_CASE("a cancel repeated says already, an expiry after it stale") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  auto c = finish_of(t, {}, task_state::cancelled);
  CHECK(change(*store, term, c).verdict == change_verdict::applied);
  CHECK(change(*store, term, c).verdict == change_verdict::already);
  c.state = task_state::expired;
  CHECK(change(*store, term, c).verdict == change_verdict::stale);
  CHECK(must(store->find(t.id, limit))->state == task_state::cancelled);
}

STORE_CASE("a change from an earlier version changes nothing") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  auto first = t;
  REQUIRE(change(*store, term, retry_of(t, {term, 1})).verdict == change_verdict::applied);
  t.attempt = 2;
  REQUIRE(change(*store, term, lose_of(t, {term, 2})).verdict == change_verdict::applied);
  auto lost = t; // attempt 2, losses 0
  for (const auto& old : {first, lost}) {
    CHECK(change(*store, term, finish_of(old, {term, 1})).verdict == change_verdict::stale);
    CHECK(change(*store, term, retry_of(old, {term, 1})).verdict == change_verdict::stale);
    CHECK(change(*store, term, lose_of(old, {term, 1})).verdict == change_verdict::stale);
    CHECK(change(*store, term, mark_of(old, {term, 1})).verdict == change_verdict::stale);
  }
  auto now = must(store->load({t.id}, limit));
  REQUIRE(now.size() == 1);
  CHECK(version_of(now[0]) == task_version{2, 1});
  CHECK(now[0].failures == 1);
  CHECK(must(store->attempts(t.id, limit)).size() == 2);
}

STORE_CASE("a retry that burned counts a failure and ends a row of deferrals") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  for (int i = 0; i < 2; ++i, ++t.attempt)
    REQUIRE(change(*store, term, retry_of(t, {term, 1u + i}, 0s, false)).verdict == change_verdict::applied);
  auto now = must(store->load({t.id}, limit)).at(0);
  CHECK(now.attempt == 3);
  CHECK(now.failures == 0);
  CHECK(now.deferrals == 2);
  CHECK(now.reason == "deferred");

  auto before = must(store->clock(limit));
  auto answer = change(*store, term, retry_of(now, {term, 3}, 1h));
  CHECK(answer.verdict == change_verdict::applied);
  CHECK(answer.run_at >= before + 1h);
  now = must(store->load({t.id}, limit)).at(0);
  CHECK(now.run_at == answer.run_at);
  CHECK(now.attempt == 4);
  CHECK(now.failures == 1);
  CHECK(now.deferrals == 0);
  CHECK(now.reason == "retry");
}

STORE_CASE("a loss counts beside failures and keeps run_at") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto t = stored(*store, wanted());
  auto answer = change(*store, term, lose_of(t, {term, 1}));
  CHECK(answer.verdict == change_verdict::applied);
  CHECK(answer.run_at == t.run_at);
  auto now = must(store->load({t.id}, limit)).at(0);
  CHECK(version_of(now) == task_version{1, 1});
  CHECK(now.failures == 0);
  CHECK(now.run_at == t.run_at);
  CHECK(now.reason == "lost");
}

STORE_CASE("a task is marked once") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto n = wanted();
  n.spec.delivery = delivery_mode::at_most_once;
  auto t = stored(*store, n);
  CHECK(change(*store, term, mark_of(t, {term, 5})).verdict == change_verdict::applied);
  CHECK(change(*store, term, mark_of(t, {term, 5})).verdict == change_verdict::already);
  CHECK(change(*store, term, mark_of(t, {term, 6})).verdict == change_verdict::stale);
  auto now = must(store->load({t.id}, limit)).at(0);
  CHECK(now.marked == fence{term, 5});
  CHECK(version_of(now) == version_of(t));
  CHECK(change(*store, term, finish_of(t, {term, 5})).verdict == change_verdict::applied);
}

STORE_CASE("a batch of changes of all kinds answers in order, several of one task after each other") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto a = stored(*store, wanted()), b = stored(*store, wanted()), c = stored(*store, wanted()),
       d = stored(*store, wanted());
  auto a2 = a, a3 = a;
  a2.attempt = 2;
  a3.attempt = 2;
  a3.losses = 1;
  auto answer = must(store->record(term,
                                   {retry_of(a, {term, 1}), finish_of(b, {term, 2}), mark_of(c, {term, 3}),
                                    lose_of(a2, {term, 4}), lose_of(d, {term, 5}), finish_of(a3, {term, 6}),
                                    finish_of(c, {term, 3}), finish_of(d, {term, 7})},
                                   limit));
  REQUIRE(answer.answers.size() == 8);
  for (std::size_t i = 0; i < 7; ++i) {
    INFO(i);
    CHECK(answer.answers[i].verdict == change_verdict::applied);
  }
  CHECK(answer.answers[7].verdict == change_verdict::stale); // d was lost before
  CHECK(must(store->load({a.id, b.id, c.id, d.id}, limit)).size() == 1);
}

STORE_CASE("an outcome whose bytes the database does not take is refused alone") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  std::vector<task_change> changes;
  for (int i = 0; i < 9; ++i)
    changes.push_back(finish_of(stored(*store, wanted()), {term, 1u + i}, task_state::failed));
  changes[4].failure = task_error{"exit", "\xff"};
  auto answer = must(store->record(term, changes, limit));
  for (std::size_t i = 0; i < 9; ++i)
    CHECK(answer.answers[i].verdict == (i == 4 ? change_verdict::refused : change_verdict::applied));
  CHECK(must(store->load({changes[4].id}, limit)).size() == 1);
}

STORE_CASE("a finished task comes back to work under its id") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto n = wanted();
  n.spec.labels = {{"a", "b"}};
  n.spec.unique_key = "u";
  n.spec.expires_at = must(store->clock(limit)) - 1h;
  auto t = stored(*store, n);
  REQUIRE(change(*store, term, lose_of(t, {term, 1})).verdict == change_verdict::applied);
  t.losses = 1;
  REQUIRE(change(*store, term, finish_of(t, {term, 2})).verdict == change_verdict::applied);
  auto again = must(store->reopen(term, t.id, limit));
  CHECK(again.id == t.id);
  CHECK(again.attempt == 2);
  CHECK(again.failures == 0);
  CHECK(again.losses == 0);
  CHECK(again.created_at == t.created_at);
  CHECK_FALSE(again.expires_at);
  CHECK(*again.payload == "null");
  auto r = must(store->find(t.id, limit));
  REQUIRE(r);
  CHECK(r->state == task_state::ready);
  CHECK(r->labels == n.spec.labels);
  CHECK(r->task.unique_key == "u");
  auto runs = must(store->attempts(t.id, limit));
  REQUIRE(runs.size() == 2);
  CHECK(runs[1].outcome == "succeeded");

  // The key is held again, and the second end is a second run.
  auto other = wanted();
  other.spec.unique_key = "u";
  CHECK(must(store->insert({other}, limit))[0].repeated);
  REQUIRE(change(*store, term, finish_of(again, {term, 3})).verdict == change_verdict::applied);
  CHECK(must(store->attempts(t.id, limit)).size() == 3);
}

STORE_CASE("only a finished task whose key is free can be reopened") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto code = [&](const uuid& id) {
    auto answer = store->reopen(term, id, limit);
    return answer ? std::string("reopened") : std::string(to_string(answer.failure().code));
  };
  CHECK(code(wanted().id) == "not_found");
  auto n = wanted();
  n.spec.unique_key = "u";
  auto t = stored(*store, n);
  CHECK(code(t.id) == "conflict");
  REQUIRE(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
  auto other = n;
  other.id = wanted().id;
  stored(*store, other);
  CHECK(code(t.id) == "conflict");
  CHECK(must(store->find(t.id, limit))->state == task_state::succeeded);
}

STORE_CASE("nothing a deposed leader writes happens") {
  TestType world;
  auto store = world.connect();
  auto old = lead(*store, 0s).term;
  auto t = stored(*store, wanted()), finished = stored(*store, wanted());
  REQUIRE(change(*store, old, finish_of(finished, {old, 1})).verdict == change_verdict::applied);
  world.pass(1ms);
  auto term = lead(*store).term;
  REQUIRE(term > old);

  auto deposed = [](const auto& answer) { return !answer && answer.failure().code == ec::deposed; };
  for (const auto& c :
       {finish_of(t, {old, 1}), retry_of(t, {old, 1}), lose_of(t, {old, 1}), mark_of(t, {old, 1})})
    CHECK(deposed(store->record(old, {c}, limit)));
  CHECK(deposed(store->reopen(old, finished.id, limit)));
  CHECK(deposed(store->open_session(old, {"w1", "i1", old}, limit)));
  CHECK(deposed(store->close_session(old, "w1", "i1", limit)));
  CHECK(deposed(store->enlist(old, limit)));
  CHECK(must(store->load({t.id}, limit)).at(0).marked.none());
  CHECK(version_of(must(store->load({t.id}, limit)).at(0)) == version_of(t));
  CHECK(must(store->sessions(limit)).empty());
}
