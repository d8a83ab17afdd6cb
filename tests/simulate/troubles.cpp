#include "tests/simulate/troubles.hpp"

#include "tests/simulate/stream.hpp"

namespace taskmaster::simulate {

troubles::troubles(world& w, cluster& c) : world_(w), cluster_(c) {
  const trouble all[] = {&troubles::kill_scheduler, &troubles::kill_coordinator, &troubles::kill_worker,   &troubles::stop_coordinator,
                         &troubles::stop_worker,    &troubles::freeze_process,   &troubles::freeze_one_actor, &troubles::break_stream,
                         &troubles::stall_stream,   &troubles::part_ways,        &troubles::outage,        &troubles::bad_weather,
                         &troubles::cut_from_database, &troubles::strike_in_a_write, &troubles::say_again,
                         &troubles::freeze_worker};
  for (const auto t : all)
    if (w.dice.one_in(2)) menu_.push_back(t);
  if (w.dice.one_in(6)) menu_.push_back(&troubles::step_clock);
  const milliseconds pauses[] = {milliseconds(300), milliseconds(700), milliseconds(2'000)};
  pause_ = pauses[w.dice.below(3)];
  if (w.dice.one_in(2)) {
    cluster_.net.weather.call_lost = w.dice.between(0, 30);
    cluster_.net.weather.call_slow = w.dice.between(0, 60);
  }
  if (w.dice.one_in(2)) {
    cluster_.net.weather.announce_lost = w.dice.between(0, 400);
    cluster_.net.weather.announce_late = w.dice.between(0, 400);
  }
  if (w.dice.one_in(3)) bad_weather();
  const milliseconds speeds[] = {milliseconds(1), milliseconds(1), milliseconds(8), milliseconds(40)};
  cluster_.base.weather.typical = w.dice.one_in(2) ? duration(microseconds(200)) : duration(speeds[w.dice.below(4)]);
  cluster_.net.weather.typical = w.dice.one_in(2) ? duration(microseconds(200)) : duration(speeds[w.dice.below(4)]);
}

void troubles::live(steady_time end) {
  if (menu_.empty()) return;
  world_.after(world_.dice.between(duration(1), pause_ * 2), [this, end] {
    if (world_.now() >= end || ceased_) return;
    (this->*menu_[world_.dice.below(menu_.size())])();
    live(end);
  });
}

void troubles::cease() {
  ceased_ = true;
  cluster_.base.in_next_write = nullptr;
  const auto typical = cluster_.base.weather.typical;
  cluster_.base.weather = {};
  cluster_.base.weather.typical = std::min<duration>(typical, milliseconds(2));
  cluster_.net.weather = {};
}

duration troubles::a_while() {
  return world_.dice.one_in(3) ? world_.dice.between(milliseconds(1), milliseconds(9'000)) : world_.dice.between(milliseconds(1), milliseconds(2'500));
}

std::shared_ptr<part> troubles::any_process() {
  std::vector<std::shared_ptr<part>> all;
  for (const auto& s : cluster_.schedulers) all.push_back(s.home);
  for (const auto& c : cluster_.coordinators) all.push_back(c.home), all.push_back(c.home);
  for (const auto& w : cluster_.workers) all.push_back(w.home);
  std::erase_if(all, [](const auto& p) { return !p || p->dead; });
  return all.empty() ? nullptr : all[world_.dice.below(all.size())];
}

void troubles::kill_scheduler() {
  const auto i = world_.dice.below(cluster_.schedulers.size());
  if (cluster_.schedulers[i].home->dead) return;
  ++faults_;
  cluster_.kill(cluster_.schedulers[i].home);
  world_.after(a_while(), [this, i] {
    if (cluster_.schedulers[i].home->dead) cluster_.start_scheduler(i);
  });
}

void troubles::kill_coordinator() {
  const auto i = world_.dice.below(cluster_.coordinators.size());
  if (cluster_.coordinators[i].home->dead) return;
  ++faults_;
  cluster_.kill(cluster_.coordinators[i].home);
  world_.after(a_while(), [this, i] {
    if (cluster_.coordinators[i].home->dead) cluster_.start_coordinator(i);
  });
}

void troubles::kill_worker() {
  const auto i = world_.dice.below(cluster_.workers.size());
  if (cluster_.workers[i].home->dead) return;
  ++faults_;
  cluster_.kill(cluster_.workers[i].home);
  world_.after(a_while(), [this, i] {
    if (cluster_.workers[i].home->dead) cluster_.start_worker(i);
  });
}

void troubles::stop_coordinator() {
  const auto i = world_.dice.below(cluster_.coordinators.size());
  if (cluster_.coordinators[i].home->dead) return;
  ++faults_;
  cluster_.stop_coordinator(i);
  world_.after(milliseconds(1'600) + a_while(), [this, i] {
    if (cluster_.coordinators[i].home->dead) cluster_.start_coordinator(i);
  });
}

void troubles::stop_worker() {
  const auto i = world_.dice.below(cluster_.workers.size());
  if (cluster_.workers[i].home->dead) return;
  ++faults_;
  cluster_.stop_worker(i);
  world_.after(milliseconds(7'100), [this, i] {
    if (cluster_.workers[i].home->dead) cluster_.start_worker(i);
  });
}

void troubles::freeze_process() {
  if (const auto p = any_process()) {
    ++faults_;
    world_.freeze(p, a_while());
  }
}

/// For longer than a leader waits for it, while what runs beside it ends.
void troubles::freeze_worker() {
  const auto& p = cluster_.workers[world_.dice.below(cluster_.workers.size())].home;
  if (p->dead || p->frozen) return;
  ++faults_;
  world_.freeze(p, world_.dice.between(milliseconds(4'000), milliseconds(9'000)));
}

void troubles::freeze_one_actor() {
  if (const auto p = any_process()) {
    ++faults_;
    world_.freeze_actor(p->actors[world_.dice.below(p->actors.size())], a_while());
  }
}

void troubles::break_stream() {
  if (const auto s = cluster_.net.any_stream()) {
    const auto who = world_.dice.below(4);
    cluster_.net.break_stream(s, who != 1, who != 2);
  }
}

void troubles::stall_stream() {
  if (const auto s = cluster_.net.any_stream()) {
    const auto ways = world_.dice.between(1, 3);
    cluster_.net.stall(s, ways & 1, ways & 2, a_while());
  }
}

void troubles::part_ways() {
  const auto& w = cluster_.workers[world_.dice.below(cluster_.workers.size())];
  const auto& c = cluster_.coordinators[world_.dice.below(cluster_.coordinators.size())];
  const auto ways = world_.dice.between(1, 3);
  cluster_.net.part_ways(w.name, c.name, ways & 1, ways & 2, a_while());
}

void troubles::outage() {
  ++faults_;
  const auto span = a_while();
  world_.tell("the database is away for " + format_duration(span));
  cluster_.base.weather.down = true;
  world_.after(span, [this] {
    cluster_.base.weather.down = false;
    world_.tell("the database is back");
  });
}

/// One process alone: it still reaches the others.
void troubles::cut_from_database() {
  const auto p = world_.dice.one_in(2) && cluster_.leader() ? cluster_.leader()->home : any_process();
  if (!p) return;
  ++faults_;
  const auto span = a_while();
  world_.tell(p->name + " does not reach the database for " + format_duration(span));
  ++p->database_away;
  world_.after(span, [p] { --p->database_away; });
}

/// A leader dies or stands still while a write of its is open, as by kill -9 or SIGSTOP in the middle of a transaction.
void troubles::strike_in_a_write() {
  cluster_.base.in_next_write = [this](const std::shared_ptr<part>& home) {
    ++faults_;
    world_.tell("a write of " + home->name + " stays open");
    if (!world_.dice.one_in(3)) return world_.freeze(home, world_.dice.between(milliseconds(500), milliseconds(6'000)));
    cluster_.kill(home);
    for (std::size_t i = 0; i < cluster_.coordinators.size(); ++i)
      if (cluster_.coordinators[i].home == home)
        world_.after(a_while(), [this, i, home] {
          if (cluster_.coordinators[i].home == home) cluster_.start_coordinator(i);
        });
  };
}

/// A worker says a result once more, long after; by then it may be of an earlier run.
void troubles::say_again() {
  if (const auto s = cluster_.net.any_stream()) s->say_again();
}

void troubles::bad_weather() {
  auto& w = cluster_.base.weather;
  w.refused = world_.dice.between(0, 40);
  w.answer_lost = world_.dice.between(0, 60);
  w.unanswered = world_.dice.between(0, 40);
  w.hangs = world_.dice.between(0, 8);
  w.open_long = world_.dice.between(0, 80);
}

void troubles::step_clock() {
  ++faults_;
  const auto by = world_.dice.between(milliseconds(1), milliseconds(world_.dice.one_in(2) ? 400 : 4'000));
  world_.step_database_clock(world_.dice.one_in(2) ? by : -by);
}

} // namespace taskmaster::simulate
