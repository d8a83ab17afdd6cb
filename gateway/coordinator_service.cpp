#include "gateway/coordinator_service.hpp"

#include "gateway/event_proto.hpp"
#include "gateway/plan_proto.hpp"
#include "gateway/grpc_status.hpp"
#include "gateway/queue_proto.hpp"
#include "gateway/schedule_proto.hpp"
#include "taskmaster/v1/coordinator.grpc.pb.h"

#include <algorithm>

namespace taskmaster {
namespace {

using context = grpc::CallbackServerContext;
using reactor = grpc::ServerUnaryReactor;

class coordinator_service final : public v1::CoordinatorService::CallbackService {
public:
  coordinator_service(caf::actor_system& system, coordinator_actor coordinator, std::shared_ptr<const lease_view> view)
      : system_(system), coordinator_(std::move(coordinator)), view_(std::move(view)) {}

  reactor* Announce(context* c, const v1::AnnounceRequest* in, v1::AnnounceResponse*) override {
    announcement a;
    a.graphs = in->graphs();
    a.transactions.assign(in->transactions().begin(), in->transactions().end());
    a.tasks.reserve(static_cast<std::size_t>(in->tasks_size()));
    for (const auto& t : in->tasks()) a.tasks.push_back(task_of(t));
    caf::anon_send(coordinator_, announce_atom::value, std::move(a));
    auto* r = c->DefaultReactor();
    // Taken or not, the scan is the guarantee; but the scheduler should learn whom to tell.
    const auto now = std::chrono::steady_clock::now();
    if (view_->trusted(now)) r->Finish(grpc::Status::OK);
    else refuse(c, r, error(ec::not_leader, "this coordinator does not lead"));
    return r;
  }
  reactor* Live(context* c, const v1::LiveRequest* in, v1::LiveResponse* out) override {
    live_request request;
    for (const auto& id : in->ids()) request.ids.push_back(uuid_of(id));
    return ask<live_answer>(c, [out](const std::vector<live_task>& tasks) {
      for (const auto& t : tasks) put_live(t, out->add_tasks());
    }, live_atom::value, std::move(request));
  }
  reactor* AwaitFinish(context* c, const v1::AwaitFinishRequest* in, v1::AwaitFinishResponse* out) override {
    const caf::timespan wait = std::chrono::seconds(in->timeout().seconds()) + std::chrono::nanoseconds(in->timeout().nanos());
    return ask<finish_answer>(c, [out](bool finished) { out->set_finished(finished); }, wait_atom::value, uuid_of(in->id()),
                              std::clamp<caf::timespan>(wait, caf::timespan(0), std::chrono::seconds(60)));
  }
  reactor* CancelTask(context* c, const v1::CancelTaskRequest* in, v1::CancelTaskResponse* out) override {
    return ask<cancel_answer>(c, [out](const cancel_verdict& v) { out->set_cancelled(v.cancelled); }, cancel_atom::value,
                              uuid_of(in->id()));
  }
  reactor* RetryTask(context* c, const v1::RetryTaskRequest* in, v1::RetryTaskResponse* out) override {
    return ask<reopen_answer>(c, [out](const task& t) { put_task(t, out->mutable_task()); }, retry_atom::value, uuid_of(in->id()),
                              caf::timespan(duration(in->wait_us())));
  }
  reactor* EditTask(context* c, const v1::EditTaskRequest* in, v1::EditTaskResponse* out) override {
    return ask<edit_answer>(c, [out](edit_verdict v) { out->set_what(static_cast<int>(v)); }, edit_atom::value, edit_of(*in));
  }
  reactor* ExplainTask(context* c, const v1::ExplainTaskRequest* in, v1::ExplainTaskResponse* out) override {
    return ask<reasons_answer>(c, [out](const std::vector<task_reason>& reasons) { write_reasons(*out->mutable_reasons(), reasons); },
                               explain_atom::value, task_of(in->task()));
  }
  reactor* ChangeQueue(context* c, const v1::QueueChange* in, v1::QueueSettings* out) override {
    auto change = read_change(*in);
    if (!change) {
      auto* r = c->DefaultReactor();
      refuse(c, r, change.failure());
      return r;
    }
    return ask<settings_answer>(c, [out](const queue_settings& s) { write_settings(*out, s); }, set_queue_atom::value, *change);
  }
  reactor* ChangeSchedule(context* c, const v1::ScheduleOrder* in, v1::ScheduleOrderAnswer* out) override {
    auto command = command_of(*in);
    if (!command) {
      auto* r = c->DefaultReactor();
      refuse(c, r, command.failure());
      return r;
    }
    return ask<schedule_answer>(c, [out](const schedule_outcome& o) { put_outcome(o, *out); }, schedule_atom::value, *command);
  }
  reactor* ListWorkers(context* c, const v1::WorkersRequest*, v1::WorkersResponse* out) override {
    return ask<workers_answer>(c, [out](const std::vector<worker_info>& all) {
      for (const auto& w : all) put_worker_info(w, out->add_workers());
    }, workers_atom::value);
  }
  reactor* DrainWorker(context* c, const v1::DrainWorkerRequest* in, v1::DrainWorkerResponse*) override {
    return ask<done_answer>(c, [](const done&) {}, drain_atom::value, in->id());
  }

  reactor* Events(context* c, const v1::EventsRequest* in, v1::EventsResponse* out) override {
    const caf::timespan wait = std::chrono::seconds(in->wait().seconds()) + std::chrono::nanoseconds(in->wait().nanos());
    return ask<events_answer>(c, [out](const event_page& page) { put_event_page(page, out); }, events_atom::value, event_request_of(*in),
                              std::clamp<caf::timespan>(wait, caf::timespan(0), std::chrono::seconds(60)));
  }

private:
  void refuse(context* c, reactor* r, const error& e) const {
    if (const auto leader = view_->leader(); e.code == ec::not_leader && !leader.empty())
      c->AddTrailingMetadata(leader_metadata, leader);
    r->Finish(grpc_status(e));
  }

  template <class Answer, class Fill, class... Ts>
  reactor* ask(context* c, Fill fill, Ts... question) {
    auto* r = c->DefaultReactor();
    const auto left = std::chrono::duration_cast<caf::timespan>(c->deadline() - std::chrono::system_clock::now());
    const auto limit = std::clamp<caf::timespan>(left, std::chrono::milliseconds(1), std::chrono::seconds(65));
    system_.spawn([this, c, r, fill, limit, coordinator = coordinator_, question...](caf::event_based_actor* self) {
      self->request(coordinator, limit, question...)
          .then(
              [this, c, r, fill](const Answer& a) {
                if (!a) return refuse(c, r, a.failure());
                fill(*a);
                r->Finish(grpc::Status::OK);
              },
              [this, c, r](const caf::error&) { refuse(c, r, error(ec::unavailable, "the coordinator did not answer in time")); });
    });
    return r;
  }

  caf::actor_system& system_;
  coordinator_actor coordinator_;
  std::shared_ptr<const lease_view> view_;
};

} // namespace

std::unique_ptr<grpc::Service> make_coordinator_service(caf::actor_system& system, coordinator_actor coordinator,
                                                        std::shared_ptr<const lease_view> view) {
  return std::make_unique<coordinator_service>(system, std::move(coordinator), std::move(view));
}

} // namespace taskmaster
