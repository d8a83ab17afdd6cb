// The worker's side of the rules: what may start, what is named, what is forgotten.
#include "actors/holdings.hpp"
#include "tests/catch.hpp"

#include <algorithm>

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

constexpr steady_time start{1h};

assignment give(int number, std::uint64_t sequence = 1) {
  assignment a;
  a.what.what.task.bytes[15] = static_cast<std::uint8_t>(number % 256);
  a.what.what.task.bytes[14] = static_cast<std::uint8_t>(number / 256);
  a.what.what.fence = {7, sequence};
  return a;
}

acknowledged about(const assignment& a, bool stale, std::uint64_t term) {
  return {{{a.what.what.task, a.what.what.fence, stale, term}}};
}

struct worker_holdings {
  holdings h;
  explicit worker_holdings(holdings_options o) : h(o) { connect(7); }
  std::vector<std::uint64_t> connect(std::uint64_t term, std::vector<claim> drop = {}) {
    h.credit_at_hello(start);
    welcome w;
    w.term = term;
    w.lease = 1200ms;
    w.drop = std::move(drop);
    return h.welcomed(w, start);
  }
  /// Gives it one task and starts it; the number of its run.
  std::uint64_t run(const assignment& a) {
    h.assigned({{a}}, start);
    const auto starts = h.take_starts(start);
    REQUIRE(starts.size() == 1);
    return starts.front().run;
  }
};

} // namespace

TEST_CASE("R12: a result is kept and named in hello until it is acknowledged, over any number of streams") {
  worker_holdings w({4, 0, 200ms, 10});
  const auto a = give(1);
  w.h.ended(w.run(a), {}, start);
  CHECK(w.h.take_results(100, start).results.size() == 1);
  CHECK(w.h.take_results(100, start).results.empty()); // once on a stream
  for (int n = 0; n < 3; ++n) {
    w.h.disconnected();
    CHECK(w.h.held().size() == 1);
    CHECK(w.h.take_results(100, start).results.empty()); // not before the welcome has judged it
    w.connect(7);
    CHECK(w.h.take_results(100, start).results.size() == 1);
  }
  w.h.acknowledge(about(a, false, 7));
  CHECK(w.h.results() == 0);
  CHECK(w.h.idle());
}

TEST_CASE("R12: recorded is believed of anyone; stale only of a term not older than the last welcome") {
  worker_holdings w({4, 0, 200ms, 10});
  w.connect(9);
  const auto a = give(1), b = give(2);
  w.h.ended(w.run(a), {}, start);
  w.h.ended(w.run(b), {}, start);
  w.h.acknowledge(about(a, true, 8)); // a leader that was deposed does not know
  CHECK(w.h.results() == 2);
  w.h.acknowledge(about(a, true, 9));
  CHECK(w.h.results() == 1);
  w.h.acknowledge(about(b, false, 3)); // sent after a commit, so it is true
  CHECK(w.h.results() == 0);
}

TEST_CASE("R12: with too many results kept no credit is granted, and again as they are acknowledged") {
  worker_holdings w({2, 0, 200ms, 3});
  std::vector<assignment> all;
  std::int32_t credit = 2;
  for (int n = 0; credit > 0; ++n) {
    all.push_back(give(n));
    w.h.ended(w.run(all.back()), {}, start);
    credit += w.h.take_credit(start) - 1;
    REQUIRE(n < 10);
  }
  CHECK(w.h.results() >= 3);
  CHECK(w.h.take_credit(start) == 0);
  for (const auto& a : all) w.h.acknowledge(about(a, false, 7));
  CHECK(w.h.take_credit(start) == 2);
}

TEST_CASE("R13: stale at the worker: the queued is dropped, the running cancelled, and its result says nothing") {
  worker_holdings w({1, 1, 200ms, 10});
  const auto running = give(1), queued = give(2);
  const auto run = w.run(running);
  w.h.assigned({{queued}}, start);
  CHECK(w.h.acknowledge(about(queued, true, 7)).empty());
  CHECK(w.h.queued() == 0);
  CHECK(w.h.acknowledge(about(running, true, 7)) == std::vector<std::uint64_t>{run});
  CHECK(w.h.acknowledge(about(running, true, 7)).empty()); // told once
  CHECK(w.h.held().empty());
  w.h.ended(run, {}, start);
  CHECK(w.h.take_results(100, start).results.empty());
  CHECK(w.h.idle());
}

TEST_CASE("R13: what the welcome drops is cancelled and its result is not sent") {
  worker_holdings w({2, 0, 200ms, 10});
  const auto a = give(1), done = give(2);
  const auto run = w.run(a);
  w.h.ended(w.run(done), {}, start);
  w.h.disconnected();
  CHECK(w.connect(8, {a.what.what, done.what.what}) == std::vector<std::uint64_t>{run});
  w.h.ended(run, {}, start);
  CHECK(w.h.take_results(100, start).results.empty());
  CHECK(w.h.idle());
}

TEST_CASE("R14: nothing starts without an answered heartbeat within the lease, nor between a reconnect and its welcome") {
  worker_holdings w({4, 0, 200ms, 10});
  w.h.assigned({{give(1)}}, start);
  CHECK(w.h.take_starts(start + 1200ms).empty());
  w.h.heartbeat_answered(start + 500ms); // counts from when it was asked
  CHECK(w.h.take_starts(start + 1700ms).empty());
  CHECK(w.h.take_starts(start + 1699ms).size() == 1);
  w.h.assigned({{give(2)}}, start);
  w.h.disconnected();
  CHECK(w.h.take_starts(start).empty());
  w.connect(7);
  CHECK(w.h.take_starts(start).size() == 1);
}

TEST_CASE("R10: credit never exceeds free slots and prefetch, whatever was granted before the stream broke") {
  worker_holdings w({4, 2, 200ms, 100});
  w.h.disconnected();
  CHECK(w.h.credit_at_hello(start) == 4);
  CHECK(w.h.take_credit(start) == 0);
  w.connect(7);
  const auto run = w.run(give(1));
  CHECK(w.h.take_credit(start) == 0);
  w.h.disconnected();
  CHECK(w.h.credit_at_hello(start) == 3); // one is running
  w.h.ended(run, {}, start);
  CHECK(w.h.take_credit(start) == 1 + 2); // its slot, and two beyond the slots, for it was short
}

TEST_CASE("beyond the slots a worker holds as many as ended short within 20 ms, up to its prefetch") {
  worker_holdings w({2, 10, 200ms, 1'000});
  auto end_one = [&, n = 0]() mutable { w.h.ended(w.run(give(++n)), {}, start); };
  for (int n = 0; n < 3; ++n) end_one();
  CHECK(w.h.take_credit(start) == 3 + 6); // the three used, and twice what ended
  for (int n = 0; n < 9; ++n) end_one();
  CHECK(w.h.take_credit(start + 5ms) == 9 + 4); // no more than ten ahead
  for (int n = 0; n < 4; ++n) end_one();
  CHECK(w.h.take_credit(start + 10ms) == 4); // the 10 ms before count
  CHECK(w.h.take_credit(start + 19ms) == 0);
  for (int n = 0; n < 12; ++n) end_one();
  CHECK(w.h.take_credit(start + 40ms) == 2); // what ended longer than 20 ms ago says nothing of now
}

TEST_CASE("long runs bring nothing beyond the slots, however many end together") {
  worker_holdings w({3, 10, 200ms, 1'000});
  std::vector<std::uint64_t> runs;
  for (int n = 0; n < 3; ++n) runs.push_back(w.run(give(n)));
  w.h.ended(runs[0], {}, start + 10ms);
  w.h.ended(runs[1], {}, start + 10ms);
  CHECK(w.h.take_credit(start + 10ms) == 2);
  w.h.ended(runs[2], {}, start + 9ms);
  CHECK(w.h.take_credit(start + 10ms) == 1 + 2);
}

TEST_CASE("what is at_most_once, or came from an older leader, waits for a slot however long") {
  worker_holdings w({1, 10, 200ms, 100});
  w.run(give(1));
  auto once = give(2), older = give(3);
  once.delivery = delivery_mode::at_most_once;
  older.what.what.fence.term = 6;
  w.h.assigned({{once, older, give(4)}}, start);
  CHECK(w.h.take_starts(start + 500ms).empty());
  const auto back = w.h.take_results(100, start).results;
  REQUIRE(back.size() == 1);
  CHECK(back[0].what.what.task == give(4).what.what.task);
  CHECK(w.h.queued() == 2);
}

TEST_CASE("what waits for 200 ms behind runs that do not end is handed back unstarted") {
  worker_holdings w({1, 10, 200ms, 100});
  const auto run = w.run(give(1));
  w.h.assigned({{give(2), give(3)}}, start);
  w.h.assigned({{give(4)}}, start + 100ms);
  CHECK(w.h.take_starts(start + 199ms).empty());
  CHECK(w.h.take_results(100, start).results.empty());
  CHECK(w.h.take_starts(start + 200ms).empty());
  const auto back = w.h.take_results(100, start).results;
  REQUIRE(back.size() == 2);
  CHECK(back[0].what.what.task == give(2).what.what.task);
  CHECK(back[0].outcome == run_outcome::returned);
  CHECK(w.h.queued() == 1);
  w.h.ended(run, {}, start);
  CHECK(w.h.take_starts(start + 900ms).size() == 1); // a free slot starts what is late all the same
}

TEST_CASE("a start is told of what still runs, with how long ago, and again on a new stream; of what has ended the result says it") {
  worker_holdings w({4, 0, 200ms, 10});
  const auto long_one = give(1), short_one = give(2);
  const auto stays = w.run(long_one);
  w.h.ended(w.run(short_one), {}, start + 1500us);
  CHECK(w.h.take_started(start + 1ms, start - 1ms).tasks.empty());
  auto told = w.h.take_started(start + 2ms, start).tasks;
  REQUIRE(told.size() == 1);
  CHECK(told[0].task == long_one.what.what.task);
  CHECK(told[0].ago == 2ms);
  CHECK_FALSE(w.h.untold_starts());
  const auto results = w.h.take_results(10, start + 2ms).results;
  REQUIRE(results.size() == 1);
  CHECK(results[0].began_ago == 2ms); // when it is sent
  w.h.disconnected();
  w.connect(7);
  CHECK(w.h.take_started(start + 3ms, start).tasks.size() == 1);
  w.h.ended(stays, {}, start); // however short, it began
  w.h.assigned({{give(3)}}, start);
  w.h.drain();
  const auto all = w.h.take_results(10, start).results;
  REQUIRE(all.size() == 3);
  CHECK(all[1].began_ago == 1us);
  CHECK(all[2].began_ago == 0us);
}

TEST_CASE("a draining worker hands back what it has not started and what comes too late, and takes no more") {
  worker_holdings w({1, 3, 200ms, 10});
  const auto run = w.run(give(1));
  w.h.assigned({{give(2), give(3)}}, start);
  w.h.drain();
  w.h.assigned({{give(4)}}, start); // was on its way
  CHECK(w.h.take_credit(start) == 0);
  auto back = w.h.take_results(100, start).results;
  REQUIRE(back.size() == 3);
  CHECK(std::all_of(back.begin(), back.end(), [](const run_result& r) { return r.outcome == run_outcome::returned; }));
  CHECK(w.h.running() == 1);
  w.h.ended(run, {}, start);
  CHECK(w.h.take_results(100, start).results.size() == 1);
}

TEST_CASE("results go out in the order they ended, in parts well under a message's limit") {
  worker_holdings w({100, 0, 200ms, 10'000});
  std::vector<std::uint64_t> runs;
  for (int n = 0; n < 100; ++n) runs.push_back(w.run(give(n)));
  for (const auto run : runs) {
    execution_result r;
    r.result = std::string(200'000, 'x');
    w.h.ended(run, std::move(r), start);
  }
  std::size_t seen = 0, parts = 0;
  for (auto part = w.h.take_results(256, start); !part.results.empty(); part = w.h.take_results(256, start), ++parts) {
    std::size_t bytes = 0;
    for (const auto& r : part.results) {
      CHECK(r.what.what.task.bytes[15] == seen++);
      bytes += r.result.size();
    }
    CHECK(bytes < 2u << 20);
  }
  CHECK(seen == 100);
  CHECK(parts > 10);
}
