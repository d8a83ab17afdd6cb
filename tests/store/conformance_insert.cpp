// Submitting: rows, their answers, keys.
#include "tests/store/worlds.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

STORE_CASE("an insert answers each row as stored, in the order asked") {
  TestType world;
  auto store = world.connect();
  auto before = must(store->clock(limit));
  auto now = wanted("a"), later = wanted("b"), delayed = wanted("c");
  later.spec.run_at = before + 1h;
  delayed.spec.delay = 2h;
  auto answers = must(store->insert({now, later, delayed}, limit));
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].task.id == now.id);
  CHECK(answers[0].task.run_at == answers[0].task.created_at);
  CHECK(answers[0].task.created_at >= before);
  CHECK(answers[1].task.run_at == before + 1h);
  CHECK(answers[2].task.kind == "c");
  CHECK(answers[2].task.run_at == answers[2].task.created_at + 2h);
  for (const auto& a : answers) {
    CHECK_FALSE(a.refused);
    CHECK_FALSE(a.repeated);
  }
}

STORE_CASE("an insert of nothing answers nothing") {
  TestType world;
  CHECK(must(world.connect()->insert({}, limit)).empty());
}

STORE_CASE("every field of a task comes back as it was given") {
  TestType world;
  auto store = world.connect();
  auto n = wanted("shell");
  auto now = must(store->clock(limit));
  n.spec.payload = R"({"command":"echo \u0000 ä"})";
  n.spec.queue = "mail";
  n.spec.run_at = now + 1h;
  n.spec.priority = 7;
  n.spec.timeout = 1500ms;
  n.spec.expires_at = now + 2h;
  n.spec.max_attempts = 9;
  n.spec.retry = {2s, 1.5, 3min, 0.25};
  n.spec.concurrency_key = "tenant-1";
  n.spec.unique_key = "once";
  n.spec.labels = {{"team", "a\"b"}, {"ä", ""}};
  stored(*store, n);
  auto r = must(store->find(n.id, limit));
  REQUIRE(r);
  const auto& t = r->task;
  CHECK(t.id == n.id);
  CHECK(t.kind == "shell");
  CHECK(*t.payload == n.spec.payload);
  CHECK(t.queue == "mail");
  CHECK(t.run_at == n.spec.run_at);
  CHECK(t.priority == 7);
  CHECK(t.timeout == 1500ms);
  CHECK(t.expires_at == n.spec.expires_at);
  CHECK(t.max_attempts == 9);
  CHECK(t.retry == n.spec.retry);
  CHECK(t.delivery == delivery_mode::at_least_once);
  CHECK(t.concurrency_key == "tenant-1");
  CHECK(t.unique_key == "once");
  CHECK(r->labels == n.spec.labels);
  CHECK(t.attempt == 1);
  CHECK(t.failures == 0);
  CHECK(t.losses == 0);
  CHECK(t.deferrals == 0);
  CHECK(t.marked.none());
  CHECK(r->state == task_state::scheduled);
}

STORE_CASE("an at_most_once task is stored with one attempt") {
  TestType world;
  auto store = world.connect();
  auto n = wanted();
  n.spec.delivery = delivery_mode::at_most_once;
  CHECK(stored(*store, n).max_attempts == 1);
  auto r = must(store->find(n.id, limit));
  REQUIRE(r);
  CHECK(r->task.max_attempts == 1);
  CHECK(r->task.delivery == delivery_mode::at_most_once);
}

STORE_CASE("a row that the database does not take is refused alone") {
  TestType world;
  auto store = world.connect();
  std::vector<new_task> batch;
  for (int i = 0; i < 40; ++i) batch.push_back(wanted());
  batch[3].spec.priority = 10;
  batch[17].spec.labels = {{"a", std::string("x\0y", 3)}};
  batch[18].spec.concurrency_key = "\xff";
  batch[39].spec.kind = "";
  auto answers = must(store->insert(batch, limit));
  REQUIRE(answers.size() == 40);
  for (std::size_t i = 0; i < 40; ++i) {
    bool bad = i == 3 || i == 17 || i == 18 || i == 39;
    INFO(i);
    CHECK(answers[i].refused.has_value() == bad);
    CHECK(must(store->find(batch[i].id, limit)).has_value() == !bad);
  }
}

STORE_CASE("an id that exists is refused and changes nothing") {
  TestType world;
  auto store = world.connect();
  auto n = wanted("first");
  stored(*store, n);
  n.spec.kind = "second";
  auto other = wanted("third");
  auto answers = must(store->insert({n, other}, limit));
  REQUIRE(answers[0].refused);
  CHECK(answers[0].refused->code == ec::conflict);
  CHECK_FALSE(answers[1].refused);
  CHECK(must(store->find(n.id, limit))->task.kind == "first");
}

STORE_CASE("a repeated idempotency key answers the first task and stores nothing") {
  TestType world;
  auto store = world.connect();
  auto first = wanted();
  first.spec.idempotency_key = "order-7";
  first.fingerprint = fingerprint(first.spec);
  stored(*store, first);
  auto again = first;
  again.id = wanted().id;
  auto answers = must(store->insert({again}, limit));
  CHECK(answers[0].repeated);
  CHECK(answers[0].task.id == first.id);
  CHECK_FALSE(must(store->find(again.id, limit)));
}

STORE_CASE("an idempotency key with another body is unprocessable") {
  TestType world;
  auto store = world.connect();
  auto first = wanted();
  first.spec.idempotency_key = "order-7";
  first.fingerprint = fingerprint(first.spec);
  stored(*store, first);
  auto other = wanted();
  other.spec.idempotency_key = "order-7";
  other.spec.payload = "1";
  other.fingerprint = fingerprint(other.spec);
  auto answers = must(store->insert({other, wanted()}, limit));
  REQUIRE(answers[0].refused);
  CHECK(answers[0].refused->code == ec::unprocessable);
  CHECK(answers[0].refused->faults[0].field == "/idempotency_key");
  CHECK_FALSE(answers[1].refused);
}

STORE_CASE("an idempotency key holds after its task is finished") {
  TestType world;
  auto store = world.connect();
  auto first = wanted();
  first.spec.idempotency_key = "k";
  first.fingerprint = fingerprint(first.spec);
  auto t = stored(*store, first);
  auto term = lead(*store).term;
  REQUIRE(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
  auto again = first;
  again.id = wanted().id;
  auto answers = must(store->insert({again}, limit));
  CHECK(answers[0].repeated);
  CHECK(answers[0].task.id == first.id);
}

STORE_CASE("a unique key holds until its task is finished") {
  TestType world;
  auto store = world.connect();
  auto first = wanted();
  first.spec.unique_key = "report";
  auto t = stored(*store, first);
  auto second = wanted("other");
  second.spec.unique_key = "report";
  auto answers = must(store->insert({second}, limit));
  CHECK(answers[0].repeated);
  CHECK(answers[0].task.id == first.id);

  auto term = lead(*store).term;
  REQUIRE(change(*store, term, finish_of(t, {term, 1}, task_state::failed)).verdict ==
          change_verdict::applied);
  CHECK(stored(*store, second).id == second.id);
}

STORE_CASE("of the same key twice in one batch the later row is the repeated one") {
  TestType world;
  auto store = world.connect();
  std::vector<new_task> batch{wanted(), wanted(), wanted(), wanted(), wanted()};
  for (auto i : {0, 2}) batch[i].spec.unique_key = "u";
  for (auto i : {1, 3, 4}) {
    batch[i].spec.idempotency_key = "i";
    batch[i].fingerprint = fingerprint(batch[i].spec);
  }
  batch[4].fingerprint = std::string(32, 'x'); // of another body
  auto answers = must(store->insert(batch, limit));
  CHECK_FALSE(answers[0].repeated);
  CHECK_FALSE(answers[1].repeated);
  CHECK(answers[2].repeated);
  CHECK(answers[2].task.id == batch[0].id);
  CHECK(answers[3].repeated);
  CHECK(answers[3].task.id == batch[1].id);
  REQUIRE(answers[4].refused);
  CHECK(answers[4].refused->code == ec::unprocessable);
}

STORE_CASE("a row whose unique key is taken does not use up its idempotency key") {
  TestType world;
  auto store = world.connect();
  auto first = wanted();
  first.spec.unique_key = "u";
  auto t = stored(*store, first);
  auto second = wanted();
  second.spec.unique_key = "u";
  second.spec.idempotency_key = "i";
  second.fingerprint = fingerprint(second.spec);
  CHECK(must(store->insert({second}, limit))[0].repeated);
  auto term = lead(*store).term;
  REQUIRE(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
  CHECK(stored(*store, second).id == second.id);
}

STORE_CASE("keyed and plain rows stand beside each other in one batch") {
  TestType world;
  auto store = world.connect();
  std::vector<new_task> batch;
  for (int i = 0; i < 30; ++i) {
    batch.push_back(wanted("k" + std::to_string(i)));
    if (i % 3 == 0) batch.back().spec.unique_key = "key" + std::to_string(100 - i);
  }
  batch[9].spec.priority = -1;
  auto answers = must(store->insert(batch, limit));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    CHECK(answers[i].task.kind == batch[i].spec.kind);
    CHECK(answers[i].refused.has_value() == (i == 9));
    CHECK(must(store->find(batch[i].id, limit)).has_value() == (i != 9));
  }
}

STORE_CASE("a task's options stay with it from the insert to its history and back to work") {
  TestType world;
  auto store = world.connect();
  auto term = lead(*store).term;
  auto plain = wanted(), keyed = wanted();
  keyed.spec.unique_key = "u";
  for (auto* n : {&plain, &keyed}) {
    n->spec.options.schedule = "nightly \"report\"";
    n->spec.options.scheduled_for = timestamp{std::chrono::sys_days{std::chrono::year{2026} / 5 / 6}} + 7us;
    auto t = stored(*store, *n);
    const auto same = [&](const shared_options& o) { return options_of(o) == n->spec.options; };
    CHECK(same(must(store->load({t.id}, limit)).at(0).options));
    REQUIRE(change(*store, term, finish_of(t, {term, 1})).verdict == change_verdict::applied);
    CHECK(same(must(store->find(t.id, limit))->task.options));
    CHECK(same(must(store->reopen(term, t.id, limit)).options));
  }
  auto none = stored(*store, wanted());
  CHECK_FALSE(must(store->load({none.id}, limit)).at(0).options);
}
