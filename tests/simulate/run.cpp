#include "tests/simulate/run.hpp"

#include "tests/simulate/clients.hpp"
#include "tests/simulate/listener.hpp"
#include "tests/simulate/troubles.hpp"

namespace taskmaster::simulate {
namespace {

/// Longer than every retry, lease, grace and lost wait together.
constexpr auto quiet_most = seconds(120);

std::vector<worker_plan> workers(chance& dice) {
  std::vector<worker_plan> out(static_cast<std::size_t>(dice.between(1, 4)));
  for (auto& w : out) {
    w.slots = static_cast<std::int32_t>(dice.between(1, 4));
    w.prefetch = dice.one_in(2) ? static_cast<std::int32_t>(dice.between(1, 4)) : 0;
    if (dice.one_in(2)) w.short_run = seconds(2); // takes runs of any length for short: queues form, and are handed back
    w.kinds = {"a", "b", "c"};
    if (&w != &out.front() && dice.one_in(3)) w.kinds.resize(static_cast<std::size_t>(dice.between(1, 2)));
    if (&w != &out.front() && dice.one_in(4)) w.queues = {"q0", "q1"};
  }
  return out;
}

coordinator_config config(chance& dice) {
  coordinator_config c;
  if (dice.one_in(3)) { // windows so small that everything has to be refilled
    c.plan.window_rows = static_cast<std::size_t>(dice.between(2, 12));
    c.plan.window_low = std::max<std::size_t>(1, c.plan.window_rows / 4);
    c.plan.window_most = static_cast<std::size_t>(dice.between(1, 3));
    c.plan.line_rows = static_cast<std::size_t>(dice.between(1, 4));
    c.plan.line_low = 1;
    c.plan.shut_most = static_cast<std::size_t>(dice.between(4, 40));
  }
  return c;
}

} // namespace

verdict run(std::uint64_t seed) {
  world w(seed);
  books told(w);
  cluster all(w, told, static_cast<std::size_t>(w.dice.between(1, 2)), 2, workers(w.dice));
  all.config = config(w.dice);
  const milliseconds lengths[] = {milliseconds(60), milliseconds(60), milliseconds(15), milliseconds(1'500)}; // the last: queues form behind slots
  all.how->typical = lengths[w.dice.below(4)];
  clients people(w, told, all);
  troubles wrong(w, all);
  listener hears(w, told, all);

  all.start_all();
  hears.live();
  people.set_limits();
  people.set_schedules();
  const auto end = w.now() + w.dice.between(seconds(4), seconds(16));
  people.live(end, w.dice.between(milliseconds(20), milliseconds(250)));
  wrong.live(end);
  w.run_until(end);

  // The faults stop, everybody is there, nothing is paused: whatever was accepted has to come to its end.
  w.tell("quiet: no more faults");
  wrong.cease();
  all.how->calm = true;
  w.run_until(w.now() + seconds(8)); // those who are frozen, killed or draining come back by themselves
  all.start_all();
  people.open_queues();
  people.resume_schedules();
  const auto late = w.now() + quiet_most;
  w.run_until(late, [&] { return told.all_finished(); });
  w.run_until(w.now() + clients::patience + seconds(3)); // a client that had no answer may ask again
  w.run_until(late, [&] { return told.all_finished(); });
  w.run_until(w.now() + listener::patience);
  hears.close();
  told.close([&](const uuid& id) { return all.base.memory->find(id); });

  verdict v;
  v.seed = seed;
  v.hash = w.hash();
  v.tasks = told.tasks();
  v.faults = wrong.faults();
  v.steps = w.steps();
  v.children = told.count_graphs();
  v.edits = told.count_edits();
  v.instants = told.count_instants();
  for (std::size_t i = 0; i < v.counts.size(); ++i) v.counts[i] = told.count(static_cast<broken>(i));
  v.first = told.first();
  v.story = w.story();
  w.close();
  return v;
}

} // namespace taskmaster::simulate
