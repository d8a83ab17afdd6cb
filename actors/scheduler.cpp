#include "actors/scheduler.hpp"

namespace taskmaster {

void scheduler_state::start(self_ptr self, scheduler_config config, scheduler_lanes lanes, coordinator_actor coordinator,
                            event_feed_actor events, std::shared_ptr<metrics> meters) {
  self_ = self;
  config_ = config;
  submits_.ways = {{std::move(lanes.submits)}, {std::move(lanes.overflow)}};
  keyed_.ways = {{std::move(lanes.keyed)}};
  reads_ = std::move(lanes.reads);
  coordinator_ = std::move(coordinator);
  events_ = std::move(events);
  meters_ = std::move(meters);
}

scheduler_desk_actor::behavior_type scheduler(scheduler_state::self_ptr self, scheduler_config config, scheduler_lanes lanes,
                                         coordinator_actor coordinator, event_feed_actor events, std::shared_ptr<metrics> meters) {
  self->state.start(self, config, std::move(lanes), std::move(coordinator), std::move(events), std::move(meters));
  return {
      [self](submit_atom, submit_request& request) { return self->state.submit(request); },
      [self](find_atom, const uuid& id) { return self->state.find(id); },
      [self](list_atom, const task_filter& filter) { return self->state.list(filter); },
      [self](attempts_atom, const uuid& id) { return self->state.attempts(id); },
      [self](wait_atom, const uuid& id, caf::timespan timeout) { return self->state.wait(id, timeout); },
      [self](cancel_atom, const uuid& id) { return self->state.cancel(id); },
      [self](retry_atom, const uuid& id) { return self->state.retry(id); },
      [self](edit_atom, const edit_request& request) { return self->state.edit(request); },
      [self](bulk_atom, bulk_request& request) { return self->state.bulk(request); },
      [self](queues_atom) { return self->state.queues(); },
      [self](queue_atom, const std::string& name) { return self->state.queue(name); },
      [self](set_queue_atom, const queue_change& change) { return self->state.set_queue(change); },
      [self](explain_atom, const uuid& id) { return self->state.explain(id); },
      [self](schedule_atom, const schedule_command& command) { return self->state.change_schedule(command); },
      [self](schedule_atom, const schedule_query& query) { return self->state.ask_schedules(query); },
      [self](workers_atom) { return self->state.workers(); },
      [self](drain_atom, const std::string& id) { return self->state.drain(id); },
      [self](events_atom, event_request& what, caf::timespan timeout) {
        return self->delegate(self->state.events(), events_atom::value, std::move(what), timeout);
      },
      [self](health_atom) { return self->state.check(); },
      [self](tick_atom) { self->state.next_rounds(); },
      [self](run_atom) { self->state.store(); },
  };
}

} // namespace taskmaster
