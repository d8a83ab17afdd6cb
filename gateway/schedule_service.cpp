#include "gateway/schedule_service.hpp"

#include "gateway/grpc_call.hpp"
#include "gateway/schedule_json.hpp"
#include "gateway/schedule_proto.hpp"
#include "gateway/scheduler_client.hpp"
#include "gateway/task_json.hpp"
#include "gateway/task_proto.hpp"

#include "taskmaster/v1/schedule.grpc.pb.h"

namespace taskmaster {
namespace {

using namespace rpc;
using verb = schedule_command::verb;

class schedule_rpc final : public v1::ScheduleService::CallbackService {
public:
  schedule_rpc(caf::actor_system& system, scheduler_actor scheduler, task_service_options o)
      : options(std::move(o)), client(std::make_shared<scheduler_client>(system, std::move(scheduler))) {}
  ~schedule_rpc() override { client->stop(); }

  task_service_options options;
  std::shared_ptr<scheduler_client> client;

  reactor* PutSchedule(context* ctx, const v1::PutScheduleRequest* request, v1::Schedule* response) override {
    return guarded(ctx, [&](const call_ptr& c) { change(c, read_put(*request, now()), shown(c, response)); });
  }
  reactor* GetSchedule(context* ctx, const v1::ScheduleName* request, v1::Schedule* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      ask(c, {schedule_query::verb::find, request->name(), {}, 1},
          [response](const schedule_found& found) { write_schedule(*response, found.page.schedules.at(0)); });
    });
  }
  reactor* ListSchedules(context* ctx, const v1::ListSchedulesRequest* request, v1::ListSchedulesResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto limit = page_of(request->limit(), 100);
      if (!limit) return c->fail(limit.failure());
      ask(c, {schedule_query::verb::list, {}, request->cursor(), *limit}, [response](const schedule_found& found) {
        for (const auto& s : found.page.schedules) write_schedule(*response->add_schedules(), s);
        response->set_next_cursor(found.page.next_cursor);
      });
    });
  }
  reactor* DeleteSchedule(context* ctx, const v1::ScheduleName* request, v1::DeleteScheduleResponse*) override {
    return guarded(ctx, [&](const call_ptr& c) {
      change(c, simple(verb::remove, request->name()), [c](schedule_answer a) { a ? c->succeed([] {}) : c->fail(a.failure()); });
    });
  }
  reactor* PauseSchedule(context* ctx, const v1::ScheduleName* request, v1::Schedule* response) override {
    return guarded(ctx, [&](const call_ptr& c) { change(c, simple(verb::pause, request->name()), shown(c, response)); });
  }
  reactor* ResumeSchedule(context* ctx, const v1::ScheduleName* request, v1::Schedule* response) override {
    return guarded(ctx, [&](const call_ptr& c) { change(c, simple(verb::resume, request->name()), shown(c, response)); });
  }
  reactor* TriggerSchedule(context* ctx, const v1::TriggerScheduleRequest* request, v1::TriggerScheduleResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      auto command = simple(verb::trigger, request->name());
      command->beside_unfinished = request->allow_overlap();
      change(c, std::move(command), [c, response](schedule_answer a) {
        if (!a) return c->fail(a.failure());
        if (a->tasks.empty()) return c->fail(error(ec::ambiguous, "The task's row did not come back; look at the schedule's tasks."));
        c->succeed([&] { write_task(*response->mutable_task(), record_of(a->tasks.front(), a->schedule.spec.task.labels)); });
      });
    });
  }
  reactor* BackfillSchedule(context* ctx, const v1::BackfillScheduleRequest* request, v1::BackfillScheduleResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      change(c, read_backfill(*request, now()), [c, response](schedule_answer a) {
        if (!a) return c->fail(a.failure());
        c->succeed([&] {
          response->set_matched(a->matched);
          response->set_submitted(a->tasks.size());
        });
      });
    });
  }
  reactor* PreviewSchedule(context* ctx, const v1::PreviewScheduleRequest* request, v1::PreviewScheduleResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto count = page_of(request->count(), 10);
      if (!count) return c->fail(error(ec::unprocessable, "A preview's count has to be 1 to 1000.", {{"/count", "has to be 1 to 1000"}}));
      const auto fill = [response, count = *count, at = now()](const schedule_spec& spec) {
        const auto found = preview_of(spec, count, at);
        if (!found) { // a stored one whose time zone is gone
          response->add_warnings(found.failure().message);
          return;
        }
        for (const auto t : found->instants) write_instant(*response->add_instants(), t);
        for (const auto& w : found->warnings) response->add_warnings(w);
      };
      if (request->has_spec()) {
        v1::PutScheduleRequest put;
        *put.mutable_spec() = request->spec();
        if (put.spec().name().empty()) put.mutable_spec()->set_name("preview");
        const auto command = read_put(put, now());
        if (!command) return c->fail(command.failure());
        c->succeed([&] { fill(command->spec); });
        return;
      }
      client->schedules({schedule_query::verb::find, request->name(), {}, 1}, time_left(*c, options), [c, fill](schedule_found_answer found) {
        if (!found) return c->fail(found.failure());
        c->succeed([&] { fill(found->page.schedules.at(0).spec); });
      });
    });
  }
  reactor* ListScheduleLedger(context* ctx, const v1::ListScheduleLedgerRequest* request, v1::ListScheduleLedgerResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto limit = page_of(request->limit(), 100);
      if (!limit) return c->fail(limit.failure());
      ask(c, {schedule_query::verb::ledger, request->name(), request->cursor(), *limit}, [response](const schedule_found& found) {
        for (const auto& row : found.ledger.rows) write_unfired(*response->add_ledger(), row);
        response->set_next_cursor(found.ledger.next_cursor);
      });
    });
  }

private:
  timestamp now() const {
    return options.now ? options.now() : std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
  }
  static expected<std::size_t> page_of(std::int32_t asked, std::size_t standard) {
    if (asked == 0) return standard;
    if (asked > 0 && static_cast<std::size_t>(asked) <= limits::page) return static_cast<std::size_t>(asked);
    return error(ec::unprocessable, "The limit has to be 1 to " + std::to_string(limits::page) + ".", {{"/limit", "has to be 1 to " + std::to_string(limits::page)}});
  }
  static expected<schedule_command> simple(verb what, const std::string& name) {
    schedule_command c;
    c.what = what;
    c.name = name;
    return c;
  }
  void change(const call_ptr& c, expected<schedule_command> command, std::function<void(schedule_answer)> then) {
    if (!command) return c->fail(command.failure());
    client->change_schedule(std::move(*command), time_left(*c, options), std::move(then));
  }
  template <class Fill>
  void ask(const call_ptr& c, schedule_query query, Fill fill) {
    client->schedules(std::move(query), time_left(*c, options), [c, fill](schedule_found_answer found) {
      if (!found) return c->fail(found.failure());
      c->succeed([&] { fill(*found); });
    });
  }
  static std::function<void(schedule_answer)> shown(const call_ptr& c, v1::Schedule* response) {
    return [c, response](schedule_answer a) {
      if (!a) return c->fail(a.failure());
      c->succeed([&] { write_schedule(*response, a->schedule); });
    };
  }
};

} // namespace

std::unique_ptr<grpc::Service> make_schedule_service(caf::actor_system& system, scheduler_actor scheduler, task_service_options options) {
  return std::make_unique<schedule_rpc>(system, std::move(scheduler), std::move(options));
}

} // namespace taskmaster
