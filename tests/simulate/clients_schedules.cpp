// Clients with schedules: made once, paused, resumed and triggered while they run.
#include "tests/simulate/clients.hpp"

namespace taskmaster::simulate {

void clients::command(schedule_command c, bool insist) {
  go([this, c, insist](self_ptr self) {
    const auto again = [this, c, insist] {
      if (insist) world_.after(milliseconds(300), [this, c] { command(c, true); });
    };
    self->request(any_scheduler(), patience, schedule_atom::value, c)
        .then(
            [again](const schedule_answer& a) {
              if (!a && a.failure().code != ec::not_found && a.failure().code != ec::conflict) again();
            },
            [again](const caf::error&) { again(); });
  });
}

void clients::set_schedules() {
  auto& dice = world_.dice;
  if (!dice.one_in(2)) return;
  for (std::int64_t i = dice.between(1, 3); i > 0; --i) {
    schedule_command c;
    c.name = c.spec.name = "s" + std::to_string(i);
    c.spec.when.every = seconds(dice.between(1, 2));
    c.spec.when.ends_at = world_.database_time() + dice.between(milliseconds(3'000), milliseconds(16'000));
    c.spec.overlap = static_cast<overlap_policy>(dice.below(4));
    c.spec.misfire = static_cast<misfire_policy>(dice.below(3));
    c.spec.task = spec();
    c.spec.task.delay.reset();
    c.spec.task.expires_at.reset();
    c.spec.task.unique_key.clear();
    c.spec.task.idempotency_key.clear();
    c.spec.task.options = {};
    c.spec.task.payload = "{}";
    schedules_.push_back(c.name);
    command(c, true);
  }
}

void clients::command_schedule() {
  using verb = schedule_command::verb;
  const verb verbs[] = {verb::pause, verb::resume, verb::resume, verb::trigger};
  schedule_command c;
  c.name = schedules_[world_.dice.below(schedules_.size())];
  c.what = verbs[world_.dice.below(4)];
  c.beside_unfinished = world_.dice.one_in(2);
  command(c, false);
}

void clients::resume_schedules() {
  for (const auto& name : schedules_) {
    schedule_command c;
    c.name = name;
    c.what = schedule_command::verb::resume;
    command(c, true);
  }
}

} // namespace taskmaster::simulate
