#include "schema/schedule.hpp"
#include "tests/catch.hpp"

#include <set>

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

timestamp at(const char* text) { return *parse_timestamp(text); }
const auto noon = at("2026-03-04T12:00:00Z");

schedule_spec spec_of(const char* cron = "* * * * *") {
  schedule_spec s;
  s.name = "nightly";
  s.when.cron = cron;
  s.task.kind = "k";
  return s;
}

schedule made(schedule_spec spec) {
  auto s = schedule::make(std::move(spec));
  REQUIRE(s);
  return *s;
}

schedule_state from(timestamp next) {
  schedule_state s;
  s.next_at = next;
  return s;
}

std::vector<timestamp> fired(const schedule_decision& d) {
  std::vector<timestamp> out;
  for (const auto& f : d.fire) out.push_back(f.instant);
  return out;
}

std::string ledger(const schedule_decision& d) {
  std::string out;
  for (const auto& u : d.ledger) {
    out += (out.empty() ? "" : ", ") + format_timestamp(u.from).substr(11, 8) + " " + u.reason;
    if (u.count > 1) out += " x" + std::to_string(u.count) + " to " + format_timestamp(u.until).substr(11, 8);
  }
  return out;
}

using instants = std::vector<timestamp>;

std::string faults(const schedule_spec& s) {
  const auto e = validate(s, noon);
  std::string out;
  if (e)
    for (const auto& f : e->faults) out += f.field + " ";
  return out;
}

} // namespace

TEST_CASE("an instant fires when its time has come, once, and the next one stands in its place") {
  const auto s = made(spec_of());
  CHECK(decide(s, from(noon), 0, noon - 1us).fire.empty());
  const auto d = decide(s, from(noon), 0, noon + 3ms);
  CHECK(fired(d) == instants{noon});
  CHECK(d.fire[0].run_at == noon);
  CHECK(d.next.next_at == noon + 1min);
  CHECK(d.next.last_at == noon);
  CHECK(decide(s, d.next, 1, noon + 4ms).fire.empty());
}

TEST_CASE("what a takeover leaves is fired whole, what was missed for longer is the misfire policy's") {
  auto spec = spec_of("* * * * * *");
  const auto three = decide(made(spec), from(noon), 0, noon + 3s);
  CHECK(three.fire.size() == 4);
  spec = spec_of();
  const auto an_hour_later = noon + 1h + 5s; // 61 instants, the last of them five seconds ago
  auto d = decide(made(spec), from(noon), 0, an_hour_later);
  CHECK(fired(d) == instants{noon + 1h}); // one: the latest
  CHECK(ledger(d).find("12:00:00 misfired, 12:01:00 misfired") == 0);
  CHECK(d.ledger.size() == 60);
  CHECK(d.next.next_at == noon + 1h + 1min);

  spec.misfire = misfire_policy::skip;
  d = decide(made(spec), from(noon), 0, noon + 30min + 20s);
  CHECK(d.fire.empty());
  CHECK(d.ledger.size() == 31);
  CHECK(fired(decide(made(spec), from(noon), 0, noon + 9s)) == instants{noon});

  spec.misfire = misfire_policy::all;
  spec.misfire_window = 10min;
  d = decide(made(spec), from(noon), 0, an_hour_later);
  CHECK(d.fire.size() == 10);
  CHECK(d.ledger.size() == 51);
  CHECK(d.fire[0].run_at == an_hour_later); // not an hour ago: it would overtake everything that waits
  CHECK(d.fire[9].run_at == noon + 1h);
  spec.misfire_window.reset();
  CHECK(decide(made(spec), from(noon), 0, noon + 3h + 5s).fire.size() == 60); // all: an hour unless said otherwise
}

TEST_CASE("a long outage is decided on in portions, and its ledger is short") {
  auto spec = spec_of("* * * * * *");
  const auto s = made(spec);
  auto state = from(noon);
  const auto now = noon + 24h;
  std::int64_t missed = 0;
  std::size_t rows = 0, portions = 0;
  instants fires;
  for (bool more = true; more; ++portions) {
    const auto d = decide(s, state, 0, now);
    for (const auto& u : d.ledger) missed += u.count;
    rows += d.ledger.size();
    const auto f = fired(d);
    fires.insert(fires.end(), f.begin(), f.end());
    state = d.next;
    more = d.more;
  }
  CHECK(portions == 9);
  CHECK(rows == 9);
  CHECK(missed == 86'400);
  CHECK(fires == instants{now});
}

TEST_CASE("overlap: skip, buffer_one and cancel_running while a task is unfinished") {
  auto spec = spec_of();
  spec.overlap = overlap_policy::skip;
  CHECK(ledger(decide(made(spec), from(noon), 1, noon)) == "12:00:00 overlapped");
  CHECK(fired(decide(made(spec), from(noon), 0, noon)) == instants{noon});

  spec.overlap = overlap_policy::buffer_one;
  auto d = decide(made(spec), from(noon), 1, noon);
  CHECK(d.fire.empty());
  CHECK(d.ledger.empty());
  CHECK(d.next.buffered == noon);
  d = decide(made(spec), d.next, 1, noon + 1min);
  CHECK(ledger(d) == "12:01:00 overlapped");
  CHECK(d.next.buffered == noon);
  d = decide(made(spec), d.next, 0, noon + 90s); // the task has ended
  CHECK(fired(d) == instants{noon});
  CHECK(d.fire[0].run_at == noon + 90s);
  CHECK_FALSE(d.next.buffered);

  spec.overlap = overlap_policy::cancel_running;
  d = decide(made(spec), from(noon), 2, noon);
  CHECK(d.cancel);
  CHECK(d.fire.empty());
  d = decide(made(spec), d.next, 1, noon + 1min); // the newest counts
  CHECK(d.cancel);
  CHECK(ledger(d) == "12:00:00 overlapped");
  d = decide(made(spec), d.next, 0, noon + 61s);
  CHECK(fired(d) == instants{noon + 1min});
  CHECK_FALSE(d.cancel);

  // Of several at once only one starts, whichever policy.
  spec.misfire = misfire_policy::all;
  CHECK(decide(made(spec), from(noon), 0, noon + 3min).fire.size() == 1);
  spec.overlap = overlap_policy::skip;
  CHECK(ledger(decide(made(spec), from(noon), 0, noon + 1min)) == "12:01:00 overlapped");
}

TEST_CASE("a paused schedule fires nothing and tells each instant") {
  auto spec = spec_of();
  auto state = from(noon);
  state.paused = true;
  state.buffered = noon - 1min;
  const auto d = decide(made(spec), state, 0, noon + 1min);
  CHECK(d.fire.empty());
  CHECK(ledger(d) == "11:59:00 paused, 12:00:00 paused, 12:01:00 paused");
  CHECK_FALSE(d.next.buffered);
}

TEST_CASE("jitter is the same on every machine, within its bound, and differs by name and instant") {
  auto spec = spec_of();
  spec.jitter = 30s;
  const auto s = made(spec);
  const auto other = made([&] {
    auto o = spec;
    o.name = "other";
    return o;
  }());
  std::set<timestamp::rep> seen;
  for (int i = 0; i < 50; ++i) {
    const auto t = noon + i * 1min, due = s.due_at(t);
    CHECK(due >= t);
    CHECK(due < t + 30s);
    CHECK(due == made(spec).due_at(t));
    CHECK(due != other.due_at(t));
    seen.insert((due - t).count());
  }
  CHECK(seen.size() > 45);
  CHECK(s.due_at(noon) == noon + 18'861'999us); // kept for ever
}

TEST_CASE("starts_at and ends_at are inclusive, and after the end there is a warning") {
  auto spec = spec_of();
  spec.when.starts_at = noon;
  spec.when.ends_at = noon + 2min;
  const auto s = made(spec);
  auto state = begin(s, {}, noon - 1h);
  CHECK(state.next_at == noon);
  const auto d = decide(s, state, 0, noon + 9s + 2min - 9s);
  CHECK(d.next.last_at == noon + 2min);
  CHECK_FALSE(d.next.next_at);
  CHECK(s.warnings(d.next.next_at).size() == 1);
  CHECK(s.warnings(noon).empty());
  CHECK(made(spec_of("0 0 30 2 *")).warnings({}).at(0).find("names a date that no year has") != std::string::npos);
}

TEST_CASE("a schedule's faults name their fields, the task's among them") {
  CHECK(faults(spec_of()).empty());
  auto s = spec_of("61 * * * *");
  s.name = "Bad Name";
  s.when.timezone = "Mars/Olympus";
  s.jitter = 25h;
  s.misfire_window = 0s;
  s.task.kind = "";
  s.task.run_at = noon;
  s.task.unique_key = "u";
  CHECK(faults(s) == "/name /cron /timezone /jitter /misfire_window /task/kind /task/run_at /task/unique_key ");
  CHECK(validate(s, noon)->code == ec::invalid_argument);
  s = spec_of();
  s.task.priority = 11;
  CHECK(faults(s) == "/task/priority ");
  CHECK(validate(s, noon)->code == ec::unprocessable);
  s = spec_of();
  s.when.every = 1s;
  CHECK(faults(s) == "/cron ");
}

TEST_CASE("a definition comes back from its JSON as it was") {
  auto s = spec_of();
  s.when.cron.reset();
  s.when.every = 90s;
  s.when.anchor = noon;
  s.when.timezone = "Europe/Berlin";
  s.when.starts_at = noon;
  s.when.ends_at = noon + 1h;
  s.when.gap_shift = false;
  s.when.overlap_both = true;
  s.jitter = 5s;
  s.overlap = overlap_policy::buffer_one;
  s.misfire = misfire_policy::all;
  s.misfire_window = 2h;
  const auto back = parse_definition(definition_json(s));
  REQUIRE(back);
  CHECK(definition_json(*back) == definition_json(s));
  CHECK(back->when.every == 90s);
  CHECK(back->when.overlap_both);
  auto rule = spec_of();
  rule.when.cron.reset();
  rule.when.rrule = "FREQ=DAILY";
  CHECK(parse_definition(definition_json(rule))->when.rrule == "FREQ=DAILY");
  CHECK_FALSE(parse_definition("[]"));
  CHECK_FALSE(parse_definition(R"({"cron": "* * * * *", "anchor": "x"})"));
  auto again = s;
  CHECK(digest(again) == digest(s));
  again.task.payload = "1";
  CHECK(digest(again) != digest(s));
}
