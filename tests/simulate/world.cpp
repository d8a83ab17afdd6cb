#include "tests/simulate/world.hpp"

#include <cstdio>

namespace taskmaster::simulate {
namespace {

// CAF takes zero for "never" in places.
constexpr auto start_of_time = std::chrono::hours(1);
constexpr auto database_epoch = std::chrono::hours(24 * 365 * 50);
constexpr auto lately = seconds(12);

} // namespace

duration chance::tailed(duration typical) {
  const auto scale = one_in(40) ? 50 : one_in(8) ? 6 : 1;
  return between(duration(1), typical * scale);
}

std::string since_start(steady_time t) {
  char text[32];
  const auto us = std::chrono::duration_cast<microseconds>(t.time_since_epoch() - start_of_time).count();
  std::snprintf(text, sizeof text, "+%lld.%06llds", static_cast<long long>(us / 1'000'000), static_cast<long long>(us % 1'000'000));
  return text;
}

world::world(std::uint64_t seed)
    : dice(seed), system(config_), scheduler_(dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())) {
  clock().current_time += start_of_time;
  order_ = dice.one_in(6) ? 1 : dice.one_in(6) ? 2 : 0;
  const int hurries[] = {0, 200, 50, 15};
  hurry_ = hurries[dice.below(4)];
}

world::~world() { close(); }

void world::close() {
  if (std::exchange(over_, true)) return;
  events_.clear();
  clock().cancel_all();
  for (auto& [job, r] : residents_) r.home->dead = true; // whoever is asked from here on does nothing
  for (auto& [job, r] : residents_)
    for (auto& a : r.home->actors) caf::anon_send_exit(a, caf::exit_reason::kill);
  // An exit is read after all other mail; what that mail starts ends here too.
  for (int round = 0; round < 1'000 && scheduler_.has_job(); ++round) scheduler_.run();
  events_.clear();
  clock().cancel_all();
  for (auto& [job, r] : residents_) r.home->actors.clear();
  residents_.clear();
}

void world::mix(std::uint64_t value) {
  for (int i = 0; i < 8; ++i) {
    hash_ ^= (value >> (8 * i)) & 0xff;
    hash_ *= 1099511628211ull;
  }
}

void world::tell(const uuid& task, std::string text) {
  if (over_) return;
  mix(static_cast<std::uint64_t>(now().time_since_epoch().count()));
  for (const auto b : task.bytes) hash_ = (hash_ ^ b) * 1099511628211ull;
  for (const auto c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  story_.push_back({now(), task, std::move(text)});
}

timestamp world::database_time() {
  return timestamp(database_epoch) + std::chrono::duration_cast<duration>(now().time_since_epoch()) + clock_offset_;
}

void world::step_database_clock(duration by) {
  clock_offset_ += by;
  steps_of_clock_.emplace_back(now(), by);
  tell("the database's clock is set by " + std::to_string(by.count() / 1'000) + " ms");
}

timestamp world::database_time_at_most() {
  auto at = database_time();
  for (const auto& [when, by] : steps_of_clock_)
    if (by.count() < 0 && when + lately > now()) at -= by;
  return at;
}

bool world::clock_stepped_lately() {
  for (const auto& [when, by] : steps_of_clock_)
    if (when + 3 * lately > now()) return true;
  return false;
}

void world::after(duration wait, std::function<void()> what) {
  if (!over_) events_.emplace(now() + wait, std::move(what));
}

void world::settle_in(const std::shared_ptr<part>& home, caf::strong_actor_ptr actor, bool outside) {
  auto* job = dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(actor));
  residents_[job] = {home, false, outside};
  home->actors.push_back(std::move(actor));
}

void world::freeze(const std::shared_ptr<part>& p, duration how_long) {
  if (p->frozen || p->dead) return;
  p->frozen = true;
  tell(p->name + " freezes for " + std::to_string(how_long.count() / 1'000) + " ms");
  after(how_long, [this, p] {
    p->frozen = false;
    last_thaw_ = now();
    tell(p->name + " wakes");
  });
}

void world::freeze_actor(const caf::strong_actor_ptr& actor, duration how_long) {
  auto* job = dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(actor));
  auto& r = residents_.at(job);
  if (r.frozen || r.outside) return; // what runs beside it would begin late what was decided in time, which nobody can forbid
  r.frozen = true;
  tell("an actor of " + r.home->name + " does not run for " + std::to_string(how_long.count() / 1'000) + " ms");
  after(how_long, [this, job] {
    residents_.at(job).frozen = false;
    last_thaw_ = now();
  });
}

bool world::may_run(caf::resumable* job) const {
  const auto it = residents_.find(job);
  if (it == residents_.end()) return true;
  const auto& r = it->second;
  return !r.home->dead && !r.frozen && (r.outside || !r.home->frozen);
}

bool world::run_one() {
  auto& jobs = scheduler_.jobs;
  ready_.clear();
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (may_run(jobs[i])) ready_.push_back(i);
  if (ready_.empty()) return false;
  const auto pick = order_ == 1 ? ready_.front() : order_ == 2 && !dice.one_in(4) ? ready_.back() : ready_[dice.below(ready_.size())];
  std::swap(jobs.front(), jobs[pick]);
  if (const auto* actor = dynamic_cast<caf::abstract_actor*>(jobs.front())) mix(actor->id());
  ++steps_;
  scheduler_.run_once();
  return true;
}

bool world::pass_time(steady_time end) {
  const auto never = steady_time::max();
  const auto timer = clock().has_pending_timeout() ? clock().schedule().begin()->first : never;
  const auto event = events_.empty() ? never : events_.begin()->first;
  if (std::min(timer, event) > end) return false;
  ++steps_;
  if (timer < event) {
    clock().trigger_timeout();
    return true;
  }
  clock().current_time = std::max(clock().current_time, event);
  auto what = std::move(events_.begin()->second);
  events_.erase(events_.begin());
  what();
  return true;
}

void world::run_until(steady_time end, const std::function<bool()>& enough) {
  while (!enough()) {
    const bool hurry = hurry_ && dice.one_in(hurry_);
    if (!hurry && run_one()) continue;
    if (pass_time(end)) continue;
    if (run_one()) continue;
    clock().current_time = std::max(clock().current_time, end);
    return;
  }
}

} // namespace taskmaster::simulate
