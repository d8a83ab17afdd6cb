// Which message does what; the work is in the coordinator_*.cpp files.
#include "actors/coordinator.hpp"

namespace taskmaster {

coordinator_desk_actor::behavior_type coordinator(coordinator_state::self_ptr self, coordinator_config config, store_lane_actor writes,
                                                  store_lane_actor reads, std::shared_ptr<lease_view> view,
                                                  std::shared_ptr<metrics> meters) {
  self->state.start(self, config, std::move(writes), std::move(reads), std::move(view), std::move(meters));
  self->set_down_handler([self](const caf::down_msg& down) { self->state.proxy_down(down); });
  self->send(self, tick_atom::value);
  return {
      [self](announce_atom, announcement& tasks) { self->state.announce(tasks); },
      [self](live_atom, const live_request& request) -> live_answer { return self->state.live(request); },
      [self](wait_atom, const uuid& id, caf::timespan timeout) { return self->state.wait(id, timeout); },
      [self](cancel_atom, const uuid& id) { return self->state.cancel(id); },
      [self](retry_atom, const uuid& id, caf::timespan wait) { return self->state.reopen(id, std::chrono::duration_cast<duration>(wait)); },
      [self](edit_atom, edit_request& request) { return self->state.edit(request); },
      [self](explain_atom, const task& row) -> reasons_answer { return self->state.explain(row); },
      [self](set_queue_atom, const queue_change& change) { return self->state.set_queue(change); },
      [self](schedule_atom, schedule_command& command) { return self->state.change_schedule(command); },
      [self](workers_atom) -> workers_answer { return self->state.list_workers(); },
      [self](drain_atom, const std::string& id) -> done_answer { return self->state.drain(id); },
      [self](events_atom, const event_request& what, caf::timespan timeout) { return self->state.events(what, timeout); },
      [self](lease_event& event) { self->state.hear_lease(event); },
      [self](session_hello& hello) { self->state.hear_hello(hello); },
      [self](session_said& said) { self->state.hear_worker(said); },
      [self](tick_atom) { self->state.tick(); },
      [self](heard_atom) { self->state.hear_submits(); },
      [self](run_atom) { self->state.woken(); },
      [self](run_atom, std::int64_t set_for) { self->state.rung(set_for); },
      [self](stop_atom) { self->state.stop(); },
  };
}

} // namespace taskmaster
