// Each cause that can hold a task, injected, and what explain says of it.
#include "tests/actors/cluster_fixture.hpp"
#include "tests/actors/limits_fixture.hpp"

using namespace taskmaster;
using namespace taskmaster::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> codes(const std::vector<task_reason>& reasons) {
  std::vector<std::string> out;
  for (const auto& r : reasons) out.push_back(r.code);
  return out;
}
using list = std::vector<std::string>;

struct explain_fixture : limits_fixture {
  explain_clock graces;
  explain_fixture() {
    graces.takeover_grace_ends = at(7'777);
    graces.session_grace_ends = [](session_id) { return at(8'888); };
  }
  std::vector<task_reason> why(const uuid& id) { return p.explain(rows.at(id), now, graces); }
};

} // namespace

TEST_CASE_METHOD(explain_fixture, "explain: not due, until when; then nobody to run it") {
  const auto id = submit(row("", "default", now + 5s));
  auto reasons = why(id);
  REQUIRE(codes(reasons) == list{"not_due", "no_worker"});
  CHECK(reasons[0].until == now + 5s);
  pass(5s);
  CHECK(codes(why(id)) == list{"no_worker"});
  worker(1, 1, {"other"});
  CHECK(codes(why(id)) == list{"no_worker"});
  p.open_session(2, {1, "w2", "2", {"elsewhere"}, {"k"}, 1, 1, {}, 0});
  CHECK(codes(why(id)) == list{"no_worker"}); // takes the kind, and not the queue
}

TEST_CASE_METHOD(explain_fixture, "explain: the queue, the kind, the key paused, each said") {
  worker(1, 1);
  const auto id = submit("a");
  set("default", [](auto& s) {
    s.paused = true;
    s.paused_kinds = {"k"};
    s.paused_keys = {"a"};
  });
  const auto reasons = why(id);
  REQUIRE(codes(reasons) == list{"queue_paused", "queue_paused", "queue_paused"});
  CHECK(reasons[0].detail.find("queue 'default' is paused") != std::string::npos);
  CHECK(reasons[1].detail.find("kind 'k'") != std::string::npos);
  CHECK(reasons[2].detail.find("key 'a'") != std::string::npos);
}

TEST_CASE_METHOD(explain_fixture, "explain: limits name the tasks that hold them, of the queue and of the key") {
  worker(1, 10);
  set("default", [](auto& s) { s.concurrency = 2; });
  const auto first = submit("a"), second = submit("b");
  dispatch();
  const auto id = submit("a");
  dispatch();
  auto reasons = why(id);
  REQUIRE(codes(reasons) == list{"limit", "limit"});
  CHECK(reasons[0].waits_for == std::vector<uuid>{first, second});
  CHECK(reasons[1].waits_for == std::vector<uuid>{first});
  finish(second);
  reasons = why(id);
  REQUIRE(codes(reasons) == list{"limit"});
  CHECK(reasons[0].waits_for == std::vector<uuid>{first});
}

TEST_CASE_METHOD(explain_fixture, "explain: rates, and when the next token comes") {
  worker(1, 10);
  set("default", [](auto& s) {
    s.rate = rate_limit{1, 10s, 1};
    s.key_rate = rate_limit{1, 60s, 1};
    s.key_concurrency = 5;
  });
  submit("a");
  dispatch();
  const auto id = submit("a");
  dispatch();
  const auto reasons = why(id);
  REQUIRE(codes(reasons) == list{"rate", "rate"});
  CHECK(reasons[0].until == now + 10s);
  CHECK(reasons[1].until == now + 60s);
}

TEST_CASE_METHOD(explain_fixture, "explain: no credit, and how many come first") {
  worker(1, 0);
  submit(row("", "default", at(100), "k", 9));
  submit(row("", "default", at(200)));
  const auto id = submit(row("", "default", at(300)));
  submit(row("", "default", at(400)));
  dispatch();
  const auto reasons = why(id);
  REQUIRE(codes(reasons) == list{"no_credit", "behind"});
  CHECK(reasons[1].detail.find("2 tasks") != std::string::npos);
}

TEST_CASE_METHOD(explain_fixture, "explain: running, cut off, and what the worker brought being recorded") {
  worker(1, 1);
  const auto id = submit();
  dispatch();
  auto reasons = why(id);
  REQUIRE(codes(reasons) == list{"running"});
  CHECK(reasons[0].detail.find("w1") != std::string::npos);
  p.session_lost(1);
  reasons = why(id);
  REQUIRE(codes(reasons) == list{"grace"});
  CHECK(reasons[0].until == at(8'888));
  const auto stale = rows.at(id);
  finish(id);
  CHECK(codes(p.explain(stale, now, graces)) == list{"finished"}); // asked with a row that was read before
}

TEST_CASE_METHOD(explain_fixture, "explain: in the grace after a takeover, for what may be held and for what has a limit") {
  lead(true);
  worker(1, 1);
  auto held = row("");
  held.created_at = at(0);
  rows[held.id] = held;
  auto reasons = why(held.id); // in no window
  REQUIRE_FALSE(reasons.empty());
  CHECK(reasons[0].code == "grace");
  CHECK(reasons[0].until == at(7'777));
  p.met(held, now);
  CHECK(codes(why(held.id)) == list{"grace"});
  const auto keyed = submit("a");
  dispatch();
  CHECK(codes(why(keyed)) == list{"grace"});
  p.end_grace(now);
  dispatch();
  CHECK(codes(why(held.id)) == list{"running"});
}

TEST_CASE_METHOD(cluster_fixture, "explain over the actors: no leader, paused at once and after a takeover, finished, quarantined") {
  config.plan.quarantine_after = 1;
  auto c = start_coordinator("c0");
  auto s = start_scheduler(c.actor);
  advance(1s);
  const auto explain = [&](const scheduler_actor& to, const uuid& id) {
    const auto why = ask<explain_answer>(to, explain_atom::value, id);
    REQUIRE(why);
    return codes(why->reasons);
  };
  const auto set = [&](queue_change change) {
    change.name = "default";
    const auto queue = ask<queue_answer>(s, set_queue_atom::value, change);
    REQUIRE(queue);
    return queue->settings;
  };
  auto w = connect(c, "w", 1);
  queue_change pause;
  pause.paused = true;
  pause.concurrency = 3;
  CHECK(set(pause).paused);
  const auto id = submit(s, spec());
  CHECK(w->assigned().empty());
  CHECK(explain(s, id) == list{"queue_paused"});

  // Another leader goes by the same settings.
  kill(c);
  CHECK(explain(s, id) == list{"no_leader"});
  auto c1 = start_coordinator("c1");
  auto s1 = start_scheduler(c1.actor);
  advance(5s);
  auto w1 = connect(c1, "w1", 1);
  CHECK(w1->assigned().empty());
  CHECK(explain(s1, id) == list{"queue_paused"});
  s = s1;
  queue_change resume;
  resume.paused = false;
  const auto settings = set(resume);
  CHECK_FALSE(settings.paused);
  CHECK(settings.concurrency == 3); // what is not named stays
  REQUIRE(w1->assigned().size() == 1);
  CHECK(explain(s1, id) == list{"running"});

  caf::anon_send(w1->proxy, stop_atom::value); // its worker is killed
  settle();
  CHECK(explain(s1, id) == list{"grace"});
  advance(10s);
  CHECK(explain(s1, id) == list{"quarantined", "finished"});
  const auto nobody = ask<explain_answer>(s1, explain_atom::value, uuid{});
  REQUIRE_FALSE(nobody);
  CHECK(nobody.failure().code == ec::not_found);
}
