#include "actors/schedule_book.hpp"

#include "schema/mutant.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

// How long a schedule that waits for tasks goes without a look at them: the net beneath task_finished().
constexpr auto look_again = std::chrono::seconds(1);

} // namespace

expected<booked_schedule> booked_schedule::of(schedule_record r) {
  booked_schedule out{nullptr, r.version, r.state, r.created_at, r.updated_at, std::move(r.tzdata)};
  auto compiled = schedule::make(std::move(r.spec));
  if (!compiled) return compiled.failure();
  out.compiled = std::make_shared<const schedule>(std::move(*compiled));
  return out;
}

void schedule_book::clear() {
  all_.clear();
  alarms_.clear();
  watched_.clear();
}

void schedule_book::load(std::vector<booked_schedule> all, timestamp now) {
  clear();
  for (auto& s : all) {
    // Other time zone rules than those it was computed with: instants that have not come are computed anew.
    auto& state = s.state;
    if (s.tzdata != time_zone::version() && state.next_at && *state.next_at > now) state.next_at = s.compiled->when().next(now);
    put(std::move(s), now);
  }
}

void schedule_book::set_alarm(const std::string& name, entry& e, std::optional<timestamp> at) {
  if (e.alarm) alarms_.erase({*e.alarm, name});
  e.alarm = at;
  if (at) alarms_.emplace(*at, name);
}

void schedule_book::unwatch(entry& e) {
  for (const auto& id : e.watched) watched_.erase(id);
  e.watched.clear();
}

void schedule_book::put(booked_schedule s, timestamp now) {
  const auto name = s.name();
  auto& e = all_[name];
  unwatch(e);
  e.what = std::move(s);
  const auto& state = e.what.state;
  set_alarm(name, e, state.buffered ? std::optional(now) : state.next_at);
}

void schedule_book::erase(const std::string& name) {
  const auto at = all_.find(name);
  if (at == all_.end()) return;
  unwatch(at->second);
  set_alarm(name, at->second, {});
  all_.erase(at);
}

std::vector<booked_schedule> schedule_book::due(timestamp now, std::size_t most) const {
  std::vector<booked_schedule> out;
  for (auto at = alarms_.begin(); at != alarms_.end() && at->first <= now && out.size() < most; ++at) out.push_back(all_.at(at->second).what);
  return out;
}

bool schedule_book::is_due(const std::string& name, timestamp now) const {
  const auto at = all_.find(name);
  return at != all_.end() && at->second.alarm && *at->second.alarm <= now;
}

std::optional<timestamp> schedule_book::next_due() const {
  return alarms_.empty() ? std::nullopt : std::optional(alarms_.begin()->first);
}

const booked_schedule* schedule_book::find(const std::string& name) const {
  const auto at = all_.find(name);
  return at == all_.end() ? nullptr : &at->second.what;
}

void schedule_book::moved(const std::string& name, const schedule_state& state, const std::vector<uuid>& unfinished, timestamp now) {
  const auto at = all_.find(name);
  if (at == all_.end()) return;
  auto& e = at->second;
  unwatch(e);
  e.what.state = state;
  if (!state.buffered) return set_alarm(name, e, state.next_at);
  for (const auto& id : unfinished) {
    watched_[id] = name;
    e.watched.push_back(id);
  }
  const auto look = now + look_again;
  set_alarm(name, e, state.next_at ? std::min(*state.next_at, look) : look);
}

void schedule_book::postpone(const std::string& name, timestamp until) {
  if (const auto at = all_.find(name); at != all_.end()) set_alarm(name, at->second, until);
}

bool schedule_book::task_finished(const uuid& id, timestamp now) {
  const auto at = watched_.find(id);
  if (at == watched_.end()) return false;
  auto& e = all_.at(at->second);
  set_alarm(at->second, e, e.alarm ? std::min(*e.alarm, now) : now);
  watched_.erase(at); // what stands in e.watched besides is erased with it
  return true;
}

std::vector<std::string> asking_for_unfinished(const std::vector<booked_schedule>& schedules) {
  std::vector<std::string> names;
  for (const auto& s : schedules)
    if (s.compiled->spec().overlap != overlap_policy::allow || s.state.buffered) names.push_back(s.name());
  return names;
}

std::size_t tasks_at_once(const schedule_spec& spec) {
  return std::clamp<std::size_t>((16u << 20) / (spec.task.payload.size() + 256), 1, 1'000);
}

void decide_round(schedule_round& round, timestamp now) {
  double load = 0; // 1: as much as one statement takes
  for (std::size_t i = 0; i < round.schedules.size(); ++i) {
    if (load >= 1) {
      round.schedules.resize(i);
      break;
    }
    const auto& s = round.schedules[i];
    const auto open = round.unfinished.find(s.name());
    const auto unfinished = open == round.unfinished.end() ? 0 : open->second.size();
    const auto most = tasks_at_once(s.compiled->spec());
    auto decision = decide(*s.compiled, s.state, unfinished, now);
    if (decision.fire.size() > most) decision = decide(*s.compiled, s.state, unfinished, now, most); // `all` of a frequent one: in portions
    schedule_firing f;
    f.spec = std::shared_ptr<const schedule_spec>(s.compiled, &s.compiled->spec());
    f.step = s.state.step;
    f.next = decision.next;
    for (const auto& t : decision.fire) f.tasks.push_back({uuid::make(now), t.instant, t.run_at});
    if (!f.tasks.empty() && mutant("instant_dropped")) f.tasks.pop_back();
    f.ledger = std::move(decision.ledger);
    load += static_cast<double>(f.tasks.size()) / static_cast<double>(most) + static_cast<double>(f.ledger.size()) / 5'000;
    if (decision.cancel) round.cancel.insert(round.cancel.end(), open->second.begin(), open->second.end());
    round.firings.push_back(std::move(f));
  }
}

} // namespace taskmaster
