#include "gateway/coordinator_client.hpp"

#include "gateway/channel_keeper.hpp"
#include "gateway/coordinator_service.hpp"
#include "gateway/event_proto.hpp"
#include "gateway/plan_proto.hpp"
#include "gateway/grpc_status.hpp"
#include "gateway/queue_proto.hpp"
#include "gateway/schedule_proto.hpp"
#include "taskmaster/v1/coordinator.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <map>

namespace taskmaster {
namespace {

using self_ptr = coordinator_client_actor::stateful_pointer<coordinator_client_state>;
using stub = v1::CoordinatorService::Stub;
using async = stub::async_interface;
template <class In, class Out>
using method = void (async::*)(grpc::ClientContext*, const In*, Out*, std::function<void(grpc::Status)>);

constexpr auto call_limit = std::chrono::milliseconds(5'000);
constexpr auto announce_limit = std::chrono::milliseconds(1'000); // by then the scan has brought them
constexpr int announces_most = 64;
constexpr std::size_t announce_bytes = 2u << 20;

} // namespace

/// Only the actor's thread uses it.
class coordinator_calls {
public:
  coordinator_calls(std::vector<std::string> addresses, std::shared_ptr<open_calls> o)
      : open(std::move(o)), addresses_(std::move(addresses)), current_(addresses_.front()) {}

  async* to_current() {
    auto& s = stubs_[current_];
    if (!s) s = v1::CoordinatorService::NewStub(channels_.open(current_, 64 << 20));
    return static_cast<async*>(s->async());
  }
  /// No answer in time: the connection may be dead without anybody having said so, the next call makes another.
  void forget(const std::string& address) {
    stubs_.erase(address);
    channels_.let_go();
  }
  /// Somebody else leads: the one that was named, else the next in the list.
  void turn(const std::string& from, const std::string& hint) {
    if (current_ != from) return; // another call has turned already
    if (!hint.empty() && hint != from) {
      current_ = hint;
      return;
    }
    current_ = addresses_[++next_ % addresses_.size()];
  }
  const std::string& current() const { return current_; }
  const std::shared_ptr<open_calls> open;
  int tries() const { return static_cast<int>(addresses_.size()) + 1; }

private:
  std::vector<std::string> addresses_;
  std::string current_;
  std::size_t next_ = 0;
  channel_keeper channels_; // before the stubs, so that it ends after them
  std::map<std::string, std::unique_ptr<stub>> stubs_;
};

namespace {

/// Everything one call needs to stay alive until gRPC has answered.
template <class In, class Out>
struct call {
  grpc::ClientContext context;
  std::shared_ptr<const In> in;
  Out out;
};

template <class In, class Out>
void ask(self_ptr self, method<In, Out> m, std::shared_ptr<const In> in, std::chrono::milliseconds limit,
         std::function<void(expected<Out>)> then, int tries) {
  auto c = std::make_shared<call<In, Out>>();
  c->in = std::move(in);
  c->context.set_deadline(std::chrono::system_clock::now() + limit);
  c->context.set_wait_for_ready(false);
  auto& calls = self->state.calls;
  const auto to = calls->current();
  const auto open = calls->open;
  open->enter(c->context);
  // `then` holds promises of actors: it is moved on, so that nothing of theirs is left here when the call leaves.
  (calls->to_current()->*m)(&c->context, c->in.get(), &c->out,
                            [self, me = coordinator_client_actor(self), open, m, c, limit, then = std::move(then), tries,
                             to](const grpc::Status& status) mutable {
    caf::anon_send(std::exchange(me, coordinator_client_actor{}), call_done{[self, m, c, limit, then = std::exchange(then, nullptr), tries, to, status] {
      if (status.ok()) return then(expected<Out>(std::move(c->out)));
      if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) { // frozen, or cut off: the next call asks another
        self->state.calls->forget(to);
        self->state.calls->turn(to, "");
      }
      const auto failure = error_of(status);
      if (failure.code == ec::not_leader || failure.code == ec::unavailable) {
        std::string hint;
        const auto& trailing = c->context.GetServerTrailingMetadata();
        if (const auto it = trailing.find(leader_metadata); it != trailing.end()) hint.assign(it->second.data(), it->second.size());
        self->state.calls->turn(to, hint);
        if (tries > 1) return ask<In, Out>(self, m, c->in, limit, then, tries - 1);
      }
      then(expected<Out>(failure));
    }});
    open->leave(c->context);
  });
}

template <class Answer, class In, class Out, class Convert>
caf::result<Answer> answer(self_ptr self, method<In, Out> m, In in, std::chrono::milliseconds limit, Convert convert) {
  auto promise = self->make_response_promise<Answer>();
  ask<In, Out>(
      self, m, std::make_shared<const In>(std::move(in)), limit,
      [promise, convert](expected<Out> out) mutable {
        if (out) promise.deliver(Answer(convert(*out)));
        else promise.deliver(Answer(out.failure()));
      },
      self->state.calls->tries());
  return promise;
}

void announce(self_ptr self, announcement& a) {
  const auto send = [self](std::shared_ptr<const v1::AnnounceRequest> request) {
    auto& s = self->state;
    if (s.announcing >= announces_most) return; // the scan brings them within a second
    ++s.announcing;
    ask<v1::AnnounceRequest, v1::AnnounceResponse>(
        self, &async::Announce, std::move(request), announce_limit,
        [self](const expected<v1::AnnounceResponse>&) { --self->state.announcing; }, self->state.calls->tries());
  };
  auto part = std::make_shared<v1::AnnounceRequest>();
  part->set_graphs(a.graphs);
  std::size_t bytes = 0;
  bool whole = true; // a part may be lost by itself: what is told in parts is looked for
  for (const auto& t : a.tasks) {
    put_task(t, part->add_tasks());
    bytes += 200 + (t.payload ? t.payload->size() : 0);
    if (bytes < announce_bytes) continue;
    whole = false;
    send(std::exchange(part, std::make_shared<v1::AnnounceRequest>()));
    bytes = 0;
  }
  if (whole) part->mutable_transactions()->Add(a.transactions.begin(), a.transactions.end());
  if (part->tasks_size() || part->graphs()) send(part);
}

} // namespace

coordinator_client_actor::behavior_type coordinator_client(self_ptr self, std::vector<std::string> addresses,
                                                            std::shared_ptr<open_calls> open) {
  self->state.calls = std::make_shared<coordinator_calls>(std::move(addresses), std::move(open));
  return {
      [self](announce_atom, announcement& a) { announce(self, a); },
      [self](live_atom, const live_request& request) {
        v1::LiveRequest in;
        for (const auto& id : request.ids) in.add_ids(bytes_of(id));
        return answer<live_answer, v1::LiveRequest, v1::LiveResponse>(self, &async::Live, std::move(in), call_limit,
                                                                      [](const v1::LiveResponse& out) {
                                                                        std::vector<live_task> live;
                                                                        for (const auto& t : out.tasks()) live.push_back(live_of(t));
                                                                        return live;
                                                                      });
      },
      [self](wait_atom, const uuid& id, caf::timespan timeout) {
        v1::AwaitFinishRequest in;
        in.set_id(bytes_of(id));
        in.mutable_timeout()->set_seconds(timeout.count() / 1'000'000'000);
        in.mutable_timeout()->set_nanos(static_cast<std::int32_t>(timeout.count() % 1'000'000'000));
        const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(timeout) + std::chrono::milliseconds(500);
        return answer<finish_answer, v1::AwaitFinishRequest, v1::AwaitFinishResponse>(
            self, &async::AwaitFinish, std::move(in), limit, [](const v1::AwaitFinishResponse& out) { return out.finished(); });
      },
      [self](cancel_atom, const uuid& id) {
        v1::CancelTaskRequest in;
        in.set_id(bytes_of(id));
        return answer<cancel_answer, v1::CancelTaskRequest, v1::CancelTaskResponse>(
            self, &async::CancelTask, std::move(in), call_limit,
            [](const v1::CancelTaskResponse& out) { return cancel_verdict{out.cancelled()}; });
      },
      [self](edit_atom, const edit_request& request) {
        v1::EditTaskRequest in;
        put_edit(request, in);
        return answer<edit_answer, v1::EditTaskRequest, v1::EditTaskResponse>(
            self, &async::EditTask, std::move(in), call_limit, [](const v1::EditTaskResponse& out) { return static_cast<edit_verdict>(out.what()); });
      },
      [self](retry_atom, const uuid& id, caf::timespan wait) {
        v1::RetryTaskRequest in;
        in.set_id(bytes_of(id));
        in.set_wait_us(std::chrono::duration_cast<duration>(wait).count());
        return answer<reopen_answer, v1::RetryTaskRequest, v1::RetryTaskResponse>(
            self, &async::RetryTask, std::move(in), call_limit, [](const v1::RetryTaskResponse& out) { return task_of(out.task()); });
      },
      [self](explain_atom, const task& row) {
        v1::ExplainTaskRequest in;
        put_task(row, in.mutable_task());
        return answer<reasons_answer, v1::ExplainTaskRequest, v1::ExplainTaskResponse>(
            self, &async::ExplainTask, std::move(in), call_limit, [](const v1::ExplainTaskResponse& out) { return read_reasons(out.reasons()); });
      },
      [self](set_queue_atom, const queue_change& change) {
        v1::QueueChange in;
        write_change(in, change);
        return answer<settings_answer, v1::QueueChange, v1::QueueSettings>(
            self, &async::ChangeQueue, std::move(in), call_limit,
            [name = change.name](const v1::QueueSettings& out) { return read_settings(out, name); });
      },
      [self](schedule_atom, const schedule_command& command) {
        return answer<schedule_answer, v1::ScheduleOrder, v1::ScheduleOrderAnswer>(
            self, &async::ChangeSchedule, order_of(command), call_limit,
            [](const v1::ScheduleOrderAnswer& out) -> schedule_answer { return outcome_of(out); });
      },
      [self](workers_atom) {
        return answer<workers_answer, v1::WorkersRequest, v1::WorkersResponse>(self, &async::ListWorkers, {}, call_limit,
                                                                               [](const v1::WorkersResponse& out) {
                                                                                 std::vector<worker_info> all;
                                                                                 for (const auto& w : out.workers())
                                                                                   all.push_back(worker_info_of(w));
                                                                                 return all;
                                                                               });
      },
      [self](drain_atom, const std::string& id) {
        v1::DrainWorkerRequest in;
        in.set_id(id);
        return answer<done_answer, v1::DrainWorkerRequest, v1::DrainWorkerResponse>(
            self, &async::DrainWorker, std::move(in), call_limit, [](const v1::DrainWorkerResponse&) { return done{}; });
      },
      [self](events_atom, const event_request& what, caf::timespan timeout) {
        v1::EventsRequest in;
        put_event_request(what, std::chrono::duration_cast<duration>(timeout), &in);
        const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(timeout) + std::chrono::milliseconds(1'000);
        return answer<events_answer, v1::EventsRequest, v1::EventsResponse>(self, &async::Events, std::move(in), limit,
                                                                            [](const v1::EventsResponse& out) { return event_page_of(out); });
      },
      [](const call_done& c) { c.then(); },
      [self](stop_atom) { self->quit(); },
  };
}

} // namespace taskmaster
