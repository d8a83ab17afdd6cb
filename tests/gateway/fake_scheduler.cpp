#include "tests/gateway/fake_scheduler.hpp"

namespace taskmaster::test {
namespace {

struct fake_state {
  std::shared_ptr<script> told;
  std::vector<caf::response_promise> silent; // of a mute scheduler: kept so that nobody is told anything
  struct listener {
    event_request what;
    caf::actor_clock::time_point until;
    caf::typed_response_promise<events_answer> promise;
  };
  std::vector<listener> listening;
  static inline const char* name = "fake_scheduler";
};
using fake_self = scheduler_actor::stateful_pointer<fake_state>;

/// Answers who has something to hear, and looks again in a moment (by a question for its health that nobody asked).
void tell_events(fake_self self) {
  auto& told = *self->state.told;
  std::lock_guard lock(told.mutex);
  std::erase_if(self->state.listening, [&](fake_state::listener& l) {
    auto page = told.events.read(l.what);
    if (l.what.after && page.events.empty() && !page.gap && self->clock().now() < l.until) return false;
    l.promise.deliver(events_answer(std::move(page)));
    return true;
  });
  if (!self->state.listening.empty()) caf::delayed_anon_send(self, std::chrono::milliseconds(5), health_atom::value);
}

error nothing(const uuid& id) { return error(ec::not_found, "No task " + id.str() + "."); }

/// Answers by `make`, or not at all, or with the refusal.
template <class Answer, class Make>
caf::result<Answer> play(fake_self self, Make make) {
  auto& told = *self->state.told;
  std::lock_guard lock(told.mutex);
  ++told.calls;
  if (told.mute) {
    auto promise = self->template make_response_promise<Answer>();
    self->state.silent.push_back(promise);
    return promise;
  }
  if (told.refuse) return Answer(*told.refuse);
  return make(told);
}

find_answer known(script& told, const uuid& id) {
  const auto found = told.tasks.find(id);
  if (found == told.tasks.end()) return nothing(id);
  return found->second;
}

submit_answer store(script& told, const submit_request& request) {
  std::vector<inserted> out;
  for (std::size_t i = 0; i < request.specs.size(); ++i) {
    const auto& spec = request.specs[i];
    told.submitted.push_back(spec);
    inserted row;
    if (i == told.refuse_row) {
      row.refused = error(ec::unprocessable, "This Idempotency-Key was used with another body.", {{"/idempotency_key", "was used with another body"}});
      out.push_back(row);
      continue;
    }
    const auto& key = spec.idempotency_key.empty() ? spec.unique_key : spec.idempotency_key;
    if (const auto first = told.keys.find(key); !key.empty() && first != told.keys.end()) {
      row.repeated = true;
      row.task.id = first->second;
      out.push_back(row);
      continue;
    }
    auto& t = row.task;
    t.id = uuid::make(fixed_now());
    t.queue = spec.queue;
    t.kind = spec.kind;
    t.priority = spec.priority;
    t.created_at = fixed_now();
    t.run_at = spec.run_at ? *spec.run_at : fixed_now() + spec.delay.value_or(duration{0});
    t.payload = std::make_shared<const std::string>(spec.payload);
    t.timeout = spec.timeout;
    t.expires_at = spec.expires_at;
    t.max_attempts = spec.max_attempts;
    t.retry = spec.retry;
    t.delivery = spec.delivery;
    t.unique_key = spec.unique_key;
    t.concurrency_key = spec.concurrency_key;
    t.options = share(spec.options);
    if (!spec.after.empty()) t.run_at = timestamp::max();
    if (!key.empty()) told.keys[key] = t.id;
    task_record record;
    record.waits_for = static_cast<std::int32_t>(spec.after.size());
    record.task = t;
    record.labels = spec.labels;
    record.state = t.run_at > t.created_at ? task_state::scheduled : task_state::ready;
    told.tasks[t.id] = record;
    out.push_back(row);
  }
  return out;
}

scheduler_actor::behavior_type fake(fake_self self, std::shared_ptr<script> told) {
  self->state.told = std::move(told);
  return {
      [self](submit_atom, const submit_request& request) {
        return play<submit_answer>(self, [&](script& s) { return store(s, request); });
      },
      [self](find_atom, const uuid& id) { return play<find_answer>(self, [&](script& s) { return known(s, id); }); },
      [self](list_atom, const task_filter& filter) {
        return play<list_answer>(self, [&](script& s) -> list_answer {
          s.filters.push_back(filter);
          task_page page;
          for (const auto& [id, record] : s.tasks) page.tasks.push_back(record);
          page.next_cursor = s.next_cursor;
          return page;
        });
      },
      [self](attempts_atom, const uuid&) {
        return play<attempts_answer>(self, [&](script& s) -> attempts_answer { return s.attempts; });
      },
      [self](wait_atom, const uuid& id, caf::timespan time) {
        return play<wait_answer>(self, [&](script& s) -> wait_answer {
          s.waits.push_back(std::chrono::duration_cast<duration>(time));
          auto found = known(s, id);
          if (!found) return found.failure();
          return waited{*found, s.finished};
        });
      },
      [self](cancel_atom, const uuid& id) {
        return play<cancelled_answer>(self, [&](script& s) -> cancelled_answer {
          auto found = known(s, id);
          if (!found) return found.failure();
          if (finished(found->state)) return error(ec::conflict, "The task is finished.");
          if (s.cancelled) found->state = task_state::cancelled;
          return cancelled_task{s.cancelled, *found};
        });
      },
      [self](retry_atom, const uuid& id) {
        return play<find_answer>(self, [&](script& s) -> find_answer {
          auto found = known(s, id);
          if (found && !finished(found->state)) return error(ec::conflict, "The task is not finished.");
          return found;
        });
      },
      [self](edit_atom, const edit_request& request) {
        return play<find_answer>(self, [&](script& s) -> find_answer {
          auto found = known(s, request.id);
          if (found && finished(found->state)) return error(ec::conflict, "the task is finished");
          s.edits.push_back(request);
          return found;
        });
      },
      [self](bulk_atom, const bulk_request& request) {
        return play<bulk_answer>(self, [&](script& s) -> bulk_answer {
          s.bulks.push_back(request);
          return bulk_counts{7, request.dry_run ? 0u : 5u, request.dry_run};
        });
      },
      [self](queues_atom) { return play<queues_answer>(self, [&](script& s) -> queues_answer { return s.queues; }); },
      [self](queue_atom, const std::string& name) {
        return play<queue_answer>(self, [&](script& s) -> queue_answer {
          const auto found = s.settings.find(name);
          if (found == s.settings.end()) return error(ec::not_found, "No queue " + name + ".");
          queue_info q;
          q.counts.name = name;
          q.settings = found->second;
          return q;
        });
      },
      [self](set_queue_atom, const queue_change& change) {
        return play<queue_answer>(self, [&](script& s) -> queue_answer {
          auto settings = changed(s.settings[change.name], change);
          if (!settings) return settings.failure();
          s.settings[change.name] = *settings;
          queue_info q;
          q.counts.name = change.name;
          q.settings = *settings;
          return q;
        });
      },
      [self](explain_atom, const uuid& id) {
        return play<explain_answer>(self, [&](script& s) -> explain_answer {
          const auto found = known(s, id);
          if (!found) return found.failure();
          return s.why;
        });
      },
      [self](schedule_atom, const schedule_command& command) {
        return play<schedule_answer>(self, [&](script& s) -> schedule_answer {
          s.commands.push_back(command);
          auto found = s.schedules.find(command.name);
          schedule_outcome out;
          out.created = found == s.schedules.end();
          if (command.what == schedule_command::verb::put) {
            auto& r = s.schedules[command.name];
            r.spec = command.spec;
            r.state.paused = command.paused.value_or(r.state.paused);
            r.state.next_at = schedule::make(r.spec)->when().next(fixed_now());
            r.created_at = r.updated_at = fixed_now();
            r.tzdata = "2030a";
            out.schedule = r;
            return out;
          }
          if (out.created) return error(ec::not_found, "No schedule " + command.name + ".");
          found->second.state.paused = command.what == schedule_command::verb::pause;
          out.created = false;
          out.schedule = found->second;
          out.tasks = s.run_tasks;
          out.matched = s.run_tasks.size() + 1;
          if (command.what == schedule_command::verb::remove) s.schedules.erase(found);
          return out;
        });
      },
      [self](schedule_atom, const schedule_query& query) {
        return play<schedule_found_answer>(self, [&](script& s) -> schedule_found_answer {
          s.queries.push_back(query);
          schedule_found out;
          if (query.what == schedule_query::verb::list)
            for (const auto& [name, r] : s.schedules) out.page.schedules.push_back(r);
          else if (const auto found = s.schedules.find(query.name); found != s.schedules.end()) out.page.schedules.push_back(found->second);
          else return error(ec::not_found, "No schedule " + query.name + ".");
          out.page.next_cursor = out.ledger.next_cursor = s.next_cursor;
          out.ledger.rows = s.ledger;
          return out;
        });
      },
      [self](workers_atom) { return play<workers_answer>(self, [&](script& s) -> workers_answer { return s.workers; }); },
      [self](drain_atom, const std::string& id) {
        return play<done_answer>(self, [&](script& s) -> done_answer {
          for (const auto& w : s.workers)
            if (w.id == id) {
              s.drained.push_back(id);
              return done{};
            }
          return error(ec::not_found, "No worker " + id + ".");
        });
      },
      [self](events_atom, const event_request& what, caf::timespan timeout) -> caf::result<events_answer> {
        auto promise = self->make_response_promise<events_answer>();
        self->state.listening.push_back({what, self->clock().now() + timeout, promise});
        if (self->state.listening.size() == 1) tell_events(self);
        return promise;
      },
      [self](health_atom) -> caf::result<health> {
        if (!self->state.listening.empty()) tell_events(self);
        auto& told = *self->state.told;
        std::lock_guard lock(told.mutex);
        if (!told.mute) return told.health;
        auto promise = self->make_response_promise<health>();
        self->state.silent.push_back(promise);
        return promise;
      },
  };
}

} // namespace

timestamp fixed_now() { return *parse_timestamp("2030-01-01T00:00:00Z"); }

scheduler_actor spawn_fake_scheduler(caf::actor_system& system, std::shared_ptr<script> told) { return system.spawn(fake, std::move(told)); }

caf::actor_system_config& fake_node::prepare(caf::actor_system_config& config) {
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", 2);
  return config;
}

fake_node::fake_node() : system(prepare(config)), scheduler(spawn_fake_scheduler(system, told)) {}

fake_node::~fake_node() { kill_scheduler(); }

void fake_node::tell(const std::function<void(script&)>& change) {
  std::lock_guard lock(told->mutex);
  change(*told);
}

void fake_node::kill_scheduler() { caf::anon_send_exit(scheduler, caf::exit_reason::kill); }

std::size_t fake_node::calls() {
  std::lock_guard lock(told->mutex);
  return told->calls;
}

} // namespace taskmaster::test
