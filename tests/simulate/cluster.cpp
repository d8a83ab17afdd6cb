#include "tests/simulate/cluster.hpp"

#include "actors/event_feed.hpp"

namespace taskmaster::simulate {

cluster::cluster(world& w, books& b, std::size_t schedulers_n, std::size_t coordinators_n, std::vector<worker_plan> workers_n)
    : base(w, b), net(w, b), world_(w), books_(b), plans_(std::move(workers_n)),
      meters_(std::make_shared<metrics>(std::make_shared<prometheus::Registry>())) {
  for (std::size_t i = 0; i < coordinators_n; ++i) addresses_.push_back("c" + std::to_string(i));
  schedulers.resize(schedulers_n);
  coordinators.resize(coordinators_n);
  workers.resize(plans_.size());
}

uuid cluster::make_id() {
  uuid id;
  const auto ms = static_cast<std::uint64_t>(std::chrono::floor<milliseconds>(world_.database_time().time_since_epoch()).count());
  for (int i = 0; i < 6; ++i) id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
  for (std::size_t i = 6; i < 16; ++i) id.bytes[i] = static_cast<std::uint8_t>(world_.dice.any());
  return id;
}

void cluster::start_scheduler(std::size_t i) {
  auto& s = schedulers[i];
  s.home = std::make_shared<part>("s" + std::to_string(i));
  world_.tell(s.home->name + " starts");
  using kind = database::lane_kind;
  scheduler_config c;
  c.make_id = [this] { return make_id(); };
  const scheduler_lanes lanes{base.lane(s.home, kind::inserts), base.lane(s.home, kind::inserts), base.lane(s.home, kind::inserts), base.lane(s.home, kind::reads)};
  const auto coordinator = net.route(s.home, addresses_);
  const auto events = world_.spawn(s.home, event_feed, event_feed_config{}, coordinator, lanes.reads);
  s.actor = world_.spawn(s.home, taskmaster::scheduler, c, lanes, coordinator, events, meters_);
}

void cluster::start_coordinator(std::size_t i) {
  auto& c = coordinators[i];
  c.name = "c" + std::to_string(i);
  c.home = std::make_shared<part>(c.name);
  world_.tell(c.name + " starts");
  c.view = std::make_shared<lease_view>();
  using kind = database::lane_kind;
  auto own = config;
  own.plan.seed = world_.dice.any();
  c.actor = world_.spawn(c.home, coordinator, own, base.lane(c.home, kind::leader_writes), base.lane(c.home, kind::reads), c.view, meters_);
  c.keeper = world_.spawn(c.home, leader_keeper, leader_keeper_config{c.name, c.name, {}}, base.lane(c.home, kind::lease), c.actor, c.view);
  net.sits(c.name, {c.home, c.actor, c.view, own.timing});
}

void cluster::start_worker(std::size_t i) {
  auto& w = workers[i];
  const auto& plan = plans_[i];
  w.name = "w" + std::to_string(i);
  w.home = std::make_shared<part>(w.name);
  w.slots = plan.slots;
  world_.tell(w.name + " starts");
  worker_config c;
  c.name = w.name;
  c.incarnation = "life-" + std::to_string(++lives_);
  c.coordinators = addresses_;
  if (world_.dice.one_in(2)) std::reverse(c.coordinators.begin(), c.coordinators.end());
  c.queues = plan.queues;
  c.kinds = plan.kinds;
  c.hold.slots = plan.slots;
  c.hold.prefetch = plan.prefetch;
  c.hold.short_run = plan.short_run;
  c.seed = world_.dice.any();
  auto pool = script_pool(world_, books_, w.home, how, w.name, static_cast<std::size_t>(plan.slots));
  w.actor = world_.spawn(w.home, worker, c, net.dialer({w.home, w.name, c.incarnation}), pool);
}

void cluster::kill(const std::shared_ptr<part>& home) {
  if (home->dead) return;
  world_.tell(home->name + " is killed");
  home->dead = true;
  net.process_died(home);
}

void cluster::stop_coordinator(std::size_t i) {
  const auto c = coordinators[i];
  if (c.home->dead) return;
  world_.tell(c.name + " is told to stop");
  caf::anon_send(c.keeper, stop_atom::value);
  caf::anon_send(c.actor, stop_atom::value);
  world_.after(milliseconds(1'500), [this, home = c.home] { kill(home); });
}

void cluster::stop_worker(std::size_t i) {
  const auto w = workers[i];
  if (w.home->dead) return;
  world_.tell(w.name + " drains");
  caf::anon_send(w.actor, drain_atom::value);
  world_.after(world_.dice.between(milliseconds(50), milliseconds(7'000)), [this, home = w.home] { kill(home); });
}

void cluster::start_all() {
  for (std::size_t i = 0; i < coordinators.size(); ++i)
    if (!coordinators[i].home || coordinators[i].home->dead) start_coordinator(i);
  for (std::size_t i = 0; i < schedulers.size(); ++i)
    if (!schedulers[i].home || schedulers[i].home->dead) start_scheduler(i);
  for (std::size_t i = 0; i < workers.size(); ++i)
    if (!workers[i].home || workers[i].home->dead) start_worker(i);
}

const coordinator_process* cluster::leader() const {
  for (const auto& c : coordinators)
    if (c.home && !c.home->dead && c.view->term() != 0) return &c;
  return nullptr;
}

} // namespace taskmaster::simulate
