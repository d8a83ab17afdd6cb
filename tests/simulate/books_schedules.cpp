// One task for each instant, or a row in the ledger; never two, never before its time. The schedules of the simulation are `every` so much
// from the beginning of the epoch, so that the checker knows their instants by itself.
#include "tests/simulate/books.hpp"

namespace taskmaster::simulate {
namespace {

timestamp on_grid(timestamp t, duration every) { // the first instant that is not before
  const auto since = t.time_since_epoch().count(), step = every.count();
  return timestamp(duration((since + step - 1) / step * step));
}

std::string text(timestamp t) { return format_timestamp(t).substr(11); }

} // namespace

void books::schedule_put(const schedule_record& record) {
  world_.tell("committed: the schedule " + record.spec.name + (record.state.paused ? ", paused" : ""));
  auto& s = schedules_[record.spec.name];
  s.every = *record.spec.when.every;
  s.state = record.state;
}

void books::fired(const schedule_firing& what, const fired_schedule& answer) {
  if (!answer.moved) return;
  const auto& name = what.spec->name;
  auto& s = schedules_[name];
  for (const auto& t : answer.tasks) {
    const auto instant = *options_of(t.options).scheduled_for;
    world_.tell(t.id, "the schedule " + name + " fires for " + text(instant));
    ++instants_;
    if (!s.fired.emplace(instant, t.id).second) fault(broken::schedule, t.id, "the instant " + text(instant) + " of " + name + " has a task already");
    if (instant > world_.database_time_at_most()) fault(broken::schedule, t.id, "the instant " + text(instant) + " of " + name + " has not come");
    inserted row;
    row.task = t;
    stored({}, row);
  }
  for (const auto& u : what.ledger)
    for (auto t = on_grid(u.from, s.every); t <= u.until; t += s.every) s.unfired.insert(t);
  check_instants(name, what);
  s.state = what.next;
}

/// Whatever is decided on now, and what waited for the end of another task, has fired, stands in the ledger, or waits.
void books::check_instants(const std::string& name, const schedule_firing& what) {
  auto& s = schedules_[name];
  const auto accounted = [&](timestamp t) {
    const bool fired = s.fired.contains(t), unfired = s.unfired.contains(t), waits = what.next.buffered == t;
    if (!fired && !unfired && !waits) fault(broken::schedule, {}, "the instant " + text(t) + " of " + name + " has no task and is not in the ledger");
    if (fired && unfired) fault(broken::schedule, s.fired.at(t), "the instant " + text(t) + " of " + name + " has a task and is in the ledger too");
  };
  if (s.state.buffered) accounted(*s.state.buffered);
  if (!s.state.next_at) return;
  const auto until = what.next.next_at ? *what.next.next_at : what.spec->when.ends_at.value_or(*s.state.next_at) + duration(1);
  for (auto t = on_grid(*s.state.next_at, s.every); t < until; t += s.every) accounted(t);
}

} // namespace taskmaster::simulate
