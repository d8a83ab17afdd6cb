#include "gateway/scheduler_client.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <queue>
#include <unordered_map>

namespace taskmaster {
namespace {

constexpr std::chrono::milliseconds sweep_interval{20};
/// What the scheduler may add to a wait before it has answered.
constexpr std::chrono::seconds wait_slack{5};

struct door_state;
using door_self = caf::stateful_actor<door_state>;

/// A call on its way into the actor. Only moves within the process.
struct door_call {
  std::function<void(door_self*)> make;
};

/// A request under way. Ends once, by its answer or by `fail`.
struct pending_call {
  std::function<void(error)> fail;
  const char* what_if_late = "";
};

struct door_state {
  using deadline = std::pair<caf::actor_clock::time_point, std::uint64_t>;

  std::uint64_t next = 1;
  std::unordered_map<std::uint64_t, pending_call> pending;
  // Answered calls stay here until their deadline: sixteen bytes each. CAF's own request timeouts cost twice the request.
  std::priority_queue<deadline, std::vector<deadline>, std::greater<>> deadlines;
  bool sweeping = false;
  bool stopped = false;
  static inline const char* name = "door";

  /// True when the call was still open.
  bool close(std::uint64_t id) { return pending.erase(id) == 1; }

  void fail_all(const char* why) {
    auto open = std::exchange(pending, {});
    for (auto& [id, call] : open) call.fail(error(ec::unavailable, why));
  }
};

} // namespace
} // namespace taskmaster

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::door_call)

namespace taskmaster {
namespace {

constexpr char scheduler_gone[] = "The scheduler of this node has stopped; ask another node, or again when it is back.";
constexpr char client_gone[] = "This node is shutting down; ask another node, or again when it is back.";

void sweep(door_self* self) {
  auto& st = self->state;
  const auto now = self->clock().now();
  while (!st.deadlines.empty() && st.deadlines.top().first <= now) {
    const auto id = st.deadlines.top().second;
    st.deadlines.pop();
    if (auto found = st.pending.find(id); found != st.pending.end()) {
      auto call = std::move(found->second);
      st.pending.erase(found);
      call.fail(error(ec::deadline_exceeded, call.what_if_late));
    }
  }
  st.sweeping = !st.deadlines.empty();
  if (st.sweeping) self->delayed_send(self, sweep_interval, tick_atom::value);
}

caf::behavior door(door_self* self, const scheduler_actor& scheduler) {
  self->monitor(scheduler);
  self->set_down_handler([self](const caf::down_msg&) { self->state.fail_all(scheduler_gone); });
  return {
      [self](door_call& call) { call.make(self); },
      [self](tick_atom) { sweep(self); },
      [self](stop_atom) {
        self->state.fail_all(client_gone);
        self->quit();
      },
  };
}

/// Holds a callback so that it is called once: if nobody answers, the last owner's end does.
template <class Answer>
class once {
public:
  explicit once(std::function<void(Answer)> f) : f_(std::move(f)) {}
  once(const once&) = delete;
  once& operator=(const once&) = delete;
  ~once() { operator()(Answer(error(ec::unavailable, client_gone))); }
  void operator()(Answer a) {
    if (!called_.exchange(true)) f_(std::move(a));
  }

private:
  std::function<void(Answer)> f_;
  std::atomic<bool> called_{false};
};

error refusal(const caf::error& e, caf::actor_system& system) {
  if (e == caf::sec::request_receiver_down || e.category() == caf::atom("exit")) return error(ec::unavailable, scheduler_gone);
  return error(ec::internal, "scheduler: " + system.render(e));
}

} // namespace

scheduler_client::scheduler_client(caf::actor_system& system, scheduler_actor scheduler)
    : scheduler_(std::move(scheduler)), door_(system.spawn(door, scheduler_)) {}

scheduler_client::~scheduler_client() { stop(); }

void scheduler_client::stop() { caf::anon_send(door_, stop_atom::value); }

template <class Answer, class Reply, class... Ts>
void scheduler_client::ask(duration limit, const char* what_if_late, then<Answer> done, Ts... message) {
  auto answer = std::make_shared<once<Answer>>(std::move(done));
  door_call call{[scheduler = scheduler_, limit, what_if_late, answer, message...](door_self* self) mutable {
    auto& st = self->state;
    const auto id = st.next++;
    st.pending.emplace(id, pending_call{[answer](error e) { (*answer)(Answer(std::move(e))); }, what_if_late});
    st.deadlines.emplace(self->clock().now() + std::max(limit, duration{0}), id);
    if (!st.sweeping) {
      st.sweeping = true;
      self->delayed_send(self, sweep_interval, tick_atom::value);
    }
    self->request(scheduler, caf::infinite, std::move(message)...)
        .then(
            [self, id, answer](Reply& value) {
              if (self->state.close(id)) (*answer)(Answer(std::move(value)));
            },
            [self, id, answer](const caf::error& e) {
              if (self->state.close(id)) (*answer)(Answer(refusal(e, self->system())));
            });
  }};
  caf::anon_send(door_, std::move(call));
}

constexpr char late_read[] = "The scheduler did not answer in time; ask again.";
constexpr char late_write[] = "The scheduler did not answer in time, and the request may or may not have taken effect; look, or ask again with the "
                              "same Idempotency-Key.";

constexpr char late_set[] = "The scheduler did not answer in time, and the settings may or may not have changed; look at the queue, or send them again.";

constexpr char late_schedule[] = "The scheduler did not answer in time, and the schedule may or may not have changed; look at it, or ask again.";

void scheduler_client::submit(submit_request request, duration limit, then<submit_answer> done) {
  ask<submit_answer, submit_answer>(limit, late_write, std::move(done), submit_atom::value, std::move(request));
}
void scheduler_client::find(uuid id, duration limit, then<find_answer> done) {
  ask<find_answer, find_answer>(limit, late_read, std::move(done), find_atom::value, id);
}
void scheduler_client::list(task_filter filter, duration limit, then<list_answer> done) {
  ask<list_answer, list_answer>(limit, late_read, std::move(done), list_atom::value, std::move(filter));
}
void scheduler_client::attempts(uuid id, duration limit, then<attempts_answer> done) {
  ask<attempts_answer, attempts_answer>(limit, late_read, std::move(done), attempts_atom::value, id);
}
void scheduler_client::wait(uuid id, duration time, then<wait_answer> done) {
  ask<wait_answer, wait_answer>(time + wait_slack, late_read, std::move(done), wait_atom::value, id, caf::timespan(time));
}
void scheduler_client::cancel(uuid id, duration limit, then<cancelled_answer> done) {
  ask<cancelled_answer, cancelled_answer>(limit, late_write, std::move(done), cancel_atom::value, id);
}
void scheduler_client::retry(uuid id, duration limit, then<find_answer> done) {
  ask<find_answer, find_answer>(limit, late_write, std::move(done), retry_atom::value, id);
}
void scheduler_client::edit(edit_request request, duration limit, then<find_answer> done) {
  ask<find_answer, find_answer>(limit, late_write, std::move(done), edit_atom::value, std::move(request));
}
void scheduler_client::bulk(bulk_request request, duration limit, then<bulk_answer> done) {
  ask<bulk_answer, bulk_answer>(limit, late_write, std::move(done), bulk_atom::value, std::move(request));
}
void scheduler_client::queues(duration limit, then<queues_answer> done) {
  ask<queues_answer, queues_answer>(limit, late_read, std::move(done), queues_atom::value);
}
void scheduler_client::queue(std::string name, duration limit, then<queue_answer> done) {
  ask<queue_answer, queue_answer>(limit, late_read, std::move(done), queue_atom::value, std::move(name));
}
void scheduler_client::set_queue(queue_change change, duration limit, then<queue_answer> done) {
  ask<queue_answer, queue_answer>(limit, late_set, std::move(done), set_queue_atom::value, std::move(change));
}
void scheduler_client::explain(uuid id, duration limit, then<explain_answer> done) {
  ask<explain_answer, explain_answer>(limit, late_read, std::move(done), explain_atom::value, id);
}
void scheduler_client::change_schedule(schedule_command command, duration limit, then<schedule_answer> done) {
  ask<schedule_answer, schedule_answer>(limit, late_schedule, std::move(done), schedule_atom::value, std::move(command));
}
void scheduler_client::schedules(schedule_query query, duration limit, then<schedule_found_answer> done) {
  ask<schedule_found_answer, schedule_found_answer>(limit, late_read, std::move(done), schedule_atom::value, std::move(query));
}
void scheduler_client::workers(duration limit, then<workers_answer> done) {
  ask<workers_answer, workers_answer>(limit, late_read, std::move(done), workers_atom::value);
}
void scheduler_client::drain(std::string session, duration limit, then<done_answer> done) {
  ask<done_answer, done_answer>(limit, late_write, std::move(done), drain_atom::value, std::move(session));
}
void scheduler_client::events(event_request what, duration time, then<events_answer> done) {
  ask<events_answer, events_answer>(time + wait_slack, late_read, std::move(done), events_atom::value, std::move(what), caf::timespan(time));
}
void scheduler_client::health(duration limit, then<expected<taskmaster::health>> done) {
  ask<expected<taskmaster::health>, taskmaster::health>(limit, late_read, std::move(done), health_atom::value);
}

} // namespace taskmaster
