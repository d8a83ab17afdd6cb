// The ring of events: ids, resuming, gaps, filters. Pure.
#include "actors/event_log.hpp"
#include "tests/catch.hpp"

using namespace taskmaster;

namespace {

task_event event(int n, task_state state = task_state::ready, const std::string& queue = "q", const std::string& kind = "k") {
  task_event e;
  e.task.bytes[15] = static_cast<std::uint8_t>(n);
  e.state = state;
  e.where = std::make_shared<const bucket_key>(bucket_key{queue, kind, 0});
  return e;
}

std::vector<int> numbers(const event_page& page) {
  std::vector<int> out;
  for (const auto& e : page.events) out.push_back(e.task.bytes[15]);
  return out;
}

event_request after(std::uint64_t term, std::uint64_t sequence, std::size_t most = 100) { return {event_id{term, sequence}, {}, most}; }

} // namespace

TEST_CASE("an event's id is read back from its text, and nothing else is one") {
  CHECK(to_string(event_id{17, 4}) == "17-4");
  CHECK(parse_event_id("17-4") == event_id{17, 4});
  for (const auto* text : {"", "-", "17", "17-", "-4", "17-4x", " 17-4", "17--4", "+1-2", "99999999999999999999-1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_event_id(text));
  }
}

TEST_CASE("a reader goes on after the id it has, page by page") {
  event_log log(10);
  log.begin({5, 0});
  for (int n = 1; n <= 5; ++n) log.append(event(n));
  auto page = log.read(after(5, 0, 2));
  CHECK(numbers(page) == std::vector{1, 2});
  CHECK_FALSE(page.gap);
  CHECK(page.events[0].id == event_id{5, 1});
  page = log.read(after(page.next.term, page.next.sequence));
  CHECK(numbers(page) == std::vector{3, 4, 5});
  CHECK(page.next == event_id{5, 5});
  page = log.read({page.next, {}, 10});
  CHECK(page.events.empty());
  CHECK(page.next == event_id{5, 5});
  // From now on: nothing yet, but a place to go on from.
  page = log.read({std::nullopt, {}, 10});
  CHECK(page.events.empty());
  CHECK(page.next == event_id{5, 5});
}

TEST_CASE("a full ring lets the oldest go, and whoever needed it has a gap and then all that is kept") {
  event_log log(3);
  log.begin({5, 0});
  for (int n = 1; n <= 7; ++n) log.append(event(n));
  CHECK(log.size() == 3);
  CHECK_FALSE(log.read(after(5, 4)).gap);
  CHECK(numbers(log.read(after(5, 4))) == std::vector{5, 6, 7});
  const auto late = log.read(after(5, 3));
  CHECK(late.gap);
  CHECK(late.from == event_id{5, 4});
  CHECK(numbers(late) == std::vector{5, 6, 7});
}

TEST_CASE("an id of another term, and one that was never given, are gaps") {
  event_log log(3);
  log.begin({5, 0});
  log.append(event(1));
  CHECK(log.read(after(4, 1)).gap);
  CHECK(log.read(after(6, 1)).gap);
  CHECK(log.read(after(5, 2)).gap);
  CHECK(numbers(log.read(after(4, 900))) == std::vector{1});
  log.expect({5, 2}); // the writer is further than this copy
  CHECK_FALSE(log.read(after(5, 2)).gap);
  CHECK(log.read(after(5, 2)).next == event_id{5, 2});
  CHECK(log.read({std::nullopt, {}, 1}).next == event_id{5, 2});
}

TEST_CASE("what was not written down is a gap for who had read up to it") {
  event_log log(10);
  log.begin({5, 0});
  log.append(event(1));
  log.skip();
  CHECK(log.read(after(5, 1)).gap);
  const auto now = log.read({std::nullopt, {}, 1}).next;
  log.append(event(2));
  CHECK_FALSE(log.read({now, {}, 10}).gap);
  CHECK(numbers(log.read({now, {}, 10})) == std::vector{2});
}

TEST_CASE("a filter takes any of each list, and a reader that takes nothing moves on all the same") {
  event_log log(10);
  log.begin({5, 0});
  log.append(event(1, task_state::ready, "a", "x"));
  log.append(event(2, task_state::failed, "a", "y"));
  log.append(event(3, task_state::succeeded, "b", "x"));
  const auto taken = [&](event_filter f) { return numbers(log.read({event_id{5, 0}, std::move(f), 10})); };
  event_filter f;
  CHECK(taken(f) == std::vector{1, 2, 3});
  f.queues = {"a", "c"};
  CHECK(taken(f) == std::vector{1, 2});
  f.kinds = {"y"};
  CHECK(taken(f) == std::vector{2});
  f = {};
  f.states = {task_state::failed, task_state::succeeded};
  CHECK(taken(f) == std::vector{2, 3});
  f = {};
  f.tasks = {event(3).task};
  CHECK(taken(f) == std::vector{3});
  f.queues = {"a"};
  const auto none = log.read({event_id{5, 0}, f, 10});
  CHECK(none.events.empty());
  CHECK(none.next == event_id{5, 3});
}
