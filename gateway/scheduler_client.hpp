// How foreign threads (HTTP handlers, gRPC calls) ask the scheduler: a call with a deadline in, a callback out. Both doors own one.
// A door actor inside makes the requests and keeps the deadlines, so CAF's templates are compiled here alone.
//
// Every callback is called exactly once, whatever happens: with the answer, with ec::deadline_exceeded after the limit,
// with ec::unavailable when the scheduler or this client has stopped. It runs on an actor thread or on the thread that
// stops the client, and must not block. Members may be called from any thread.
#pragma once
#include "actors/interfaces.hpp"

#include <functional>

namespace taskmaster {

class scheduler_client {
public:
  template <class Answer>
  using then = std::function<void(Answer)>;

  scheduler_client(caf::actor_system& system, scheduler_actor scheduler);
  scheduler_client(const scheduler_client&) = delete;
  scheduler_client& operator=(const scheduler_client&) = delete;
  ~scheduler_client();

  void submit(submit_request request, duration limit, then<submit_answer> done);
  void find(uuid id, duration limit, then<find_answer> done);
  void list(task_filter filter, duration limit, then<list_answer> done);
  void attempts(uuid id, duration limit, then<attempts_answer> done);
  /// `time` is how long the scheduler waits for the end; the call's own limit is a little longer.
  void wait(uuid id, duration time, then<wait_answer> done);
  void cancel(uuid id, duration limit, then<cancelled_answer> done);
  void retry(uuid id, duration limit, then<find_answer> done);
  void edit(edit_request request, duration limit, then<find_answer> done);
  void bulk(bulk_request request, duration limit, then<bulk_answer> done);
  void queues(duration limit, then<queues_answer> done);
  void queue(std::string name, duration limit, then<queue_answer> done);
  void set_queue(queue_change change, duration limit, then<queue_answer> done);
  void explain(uuid id, duration limit, then<explain_answer> done);
  void change_schedule(schedule_command command, duration limit, then<schedule_answer> done);
  void schedules(schedule_query query, duration limit, then<schedule_found_answer> done);
  void workers(duration limit, then<workers_answer> done);
  void drain(std::string session, duration limit, then<done_answer> done);
  /// `time` is how long the scheduler waits for events.
  void events(event_request what, duration time, then<events_answer> done);
  void health(duration limit, then<expected<taskmaster::health>> done);

  /// Answers everything under way with ec::unavailable, and every later call too. Idempotent.
  void stop();

private:
  template <class Answer, class Reply, class... Ts>
  void ask(duration limit, const char* what_if_late, then<Answer> done, Ts... message);

  scheduler_actor scheduler_;
  caf::actor door_;
};

} // namespace taskmaster
