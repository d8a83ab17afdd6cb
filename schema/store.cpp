#include "schema/store.hpp"

namespace taskmaster {

task_options options_to_store(const task_spec& spec) {
  auto options = spec.options;
  options.period_key = options.scope == unique_scope::for_period ? spec.unique_key : std::string();
  return options;
}

task make_task(const new_task& wanted) {
  const auto& spec = wanted.spec;
  task t;
  t.id = wanted.id;
  t.queue = spec.queue;
  t.kind = spec.kind;
  t.priority = spec.priority;
  t.payload = std::make_shared<const std::string>(spec.payload);
  t.timeout = spec.timeout;
  t.expires_at = spec.expires_at;
  t.max_attempts = spec.delivery == delivery_mode::at_most_once ? 1 : spec.max_attempts;
  t.retry = spec.retry;
  t.delivery = spec.delivery;
  t.unique_key = spec.unique_key;
  t.concurrency_key = spec.concurrency_key;
  t.options = share(options_to_store(spec));
  return t;
}

new_task task_of_instant(const schedule_spec& spec, const uuid& id, timestamp instant, timestamp run_at) {
  new_task made{id, spec.task, {}};
  made.spec.run_at = run_at;
  made.spec.options.schedule = spec.name;
  made.spec.options.scheduled_for = instant;
  return made;
}

} // namespace taskmaster
