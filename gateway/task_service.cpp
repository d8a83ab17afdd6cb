#include "gateway/task_service.hpp"

#include "gateway/grpc_call.hpp"
#include "gateway/queue_proto.hpp"
#include "gateway/scheduler_client.hpp"
#include "gateway/task_json.hpp"
#include "gateway/task_proto.hpp"

#include "schema/graph.hpp"

#include "taskmaster/v1/task.grpc.pb.h"

namespace taskmaster {
namespace {

using namespace rpc;

/// A task just submitted, or the one its key named first.
void write_new(v1::SubmitResponse& out, const task_record& record, bool repeated) {
  write_task(*out.mutable_task(), record);
  out.set_repeated_key(repeated);
}

/// The generated service. Each call hands the scheduler_client a callback that fills the response and ends the call.
class task_rpc final : public v1::TaskService::CallbackService {
public:
  task_rpc(caf::actor_system& system, scheduler_actor scheduler, task_service_options o)
      : options(std::move(o)), client(std::make_shared<scheduler_client>(system, std::move(scheduler))) {
    if (!options.now) options.now = [] { return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()); };
  }

  ~task_rpc() override { client->stop(); }

  task_service_options options;
  std::shared_ptr<scheduler_client> client; // shared with callbacks that ask again, which may outlive this service

  reactor* Submit(context* ctx, const v1::SubmitRequest* request, v1::SubmitResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      if (!request->has_task()) return c->fail(error(ec::invalid_argument, "The request has no task.", {{"/task", "is missing"}}));
      auto spec = read_task(request->task(), options.now());
      if (!spec) return c->fail(spec.failure());
      const auto labels = spec->labels;
      std::vector<task_spec> specs{std::move(*spec)};
      std::vector<std::optional<error>> refused(1);
      arrange(specs, refused);
      if (refused[0]) return c->fail(*refused[0]);
      client->submit(submit_request{std::move(specs)}, time_left(*c), [client = client, options = options, c, response, labels](submit_answer answer) {
        if (!answer) return c->fail(answer.failure());
        if (answer->size() != 1) return c->fail(error(ec::internal, "the scheduler answered one task with another number of rows"));
        auto& row = answer->front();
        if (row.refused) return c->fail(*row.refused);
        if (!row.repeated && !waits(row.task)) return c->succeed([&] { write_new(*response, record_of(row.task, labels), false); });
        // Of a known key only the first task's id is certain: ask what became of it; and what a new one waits for.
        client->find(row.task.id, rpc::time_left(*c, options), [c, response, repeated = row.repeated](find_answer first) {
          if (!first) return c->fail(first.failure());
          c->succeed([&] { write_new(*response, *first, repeated); });
        });
      });
    });
  }

  reactor* SubmitBatch(context* ctx, const v1::SubmitBatchRequest* request, v1::SubmitBatchResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto rows = static_cast<std::size_t>(request->tasks_size());
      if (rows > limits::batch)
        return c->fail(error(ec::too_large, "The batch has " + std::to_string(rows) + " tasks; the limit is " + std::to_string(limits::batch) + "."));
      // Rows are independent: the good ones go on, each bad one gets its own error.
      const auto now = options.now();
      std::vector<task_spec> read(rows), specs;
      std::vector<std::optional<error>> refused(rows);
      std::vector<int> places;
      for (int i = 0; i < request->tasks_size(); ++i) {
        const auto row = static_cast<std::size_t>(i);
        if (auto spec = read_task(request->tasks(i), now, &read[row])) read[row] = std::move(*spec);
        else refused[row] = std::move(spec.failure());
      }
      arrange(read, refused); // rows that wait for each other are taken or refused together
      for (int i = 0; i < request->tasks_size(); ++i) {
        const auto row = static_cast<std::size_t>(i);
        auto& result = *response->add_results();
        if (refused[row]) {
          write_error(*result.mutable_error(), *refused[row]);
          continue;
        }
        specs.push_back(std::move(read[row]));
        places.push_back(i);
      }
      if (specs.empty()) return c->succeed([] {});
      client->submit(submit_request{std::move(specs)}, time_left(*c), [c, response, places](submit_answer answer) {
        if (!answer) return c->fail(answer.failure());
        if (answer->size() != places.size())
          return c->fail(error(ec::internal, "the scheduler answered a batch with another number of rows"));
        c->succeed([&] {
          for (std::size_t i = 0; i < places.size(); ++i) {
            auto& result = *response->mutable_results(places[i]);
            const auto& row = (*answer)[i];
            if (row.refused) {
              write_error(*result.mutable_error(), *row.refused);
            } else {
              result.set_id(row.task.id.str());
              result.set_repeated_key(row.repeated);
            }
          }
        });
      });
    });
  }

  reactor* Get(context* ctx, const v1::GetRequest* request, v1::Task* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto id = read_id(request->id());
      if (!id) return c->fail(id.failure());
      client->find(*id, time_left(*c), [c, response](find_answer found) {
        if (!found) return c->fail(found.failure());
        c->succeed([&] { write_task(*response, *found); });
      });
    });
  }

  reactor* List(context* ctx, const v1::ListRequest* request, v1::ListResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      auto filter = read_filter(*request);
      if (!filter) return c->fail(filter.failure());
      client->list(std::move(*filter), time_left(*c), [c, response](list_answer page) {
        if (!page) return c->fail(page.failure());
        c->succeed([&] {
          for (const auto& r : page->tasks) write_task(*response->add_tasks(), r);
          response->set_next_cursor(page->next_cursor);
        });
      });
    });
  }

  reactor* Wait(context* ctx, const v1::WaitRequest* request, v1::WaitResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto id = read_id(request->id());
      if (!id) return c->fail(id.failure());
      const auto time = request->has_timeout() ? read_duration(request->timeout()) : options.wait;
      if (!time) return c->fail(error(ec::invalid_argument, "The timeout is no length of time.", {{"/timeout", "has to be 0 or more"}}));
      if (*time > options.longest_wait) {
        const auto why = "is over the limit of " + format_duration(options.longest_wait) + "; ask again after it";
        return c->fail(error(ec::unprocessable, "The timeout " + why + ".", {{"/timeout", why}}));
      }
      client->wait(*id, *time, [c, response](wait_answer end) {
        if (!end) return c->fail(end.failure());
        c->succeed([&] {
          write_task(*response->mutable_task(), end->record);
          response->set_finished(end->finished);
        });
      });
    });
  }

  reactor* Attempts(context* ctx, const v1::AttemptsRequest* request, v1::AttemptsResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto id = read_id(request->id());
      if (!id) return c->fail(id.failure());
      client->attempts(*id, time_left(*c), [c, response](attempts_answer list) {
        if (!list) return c->fail(list.failure());
        c->succeed([&] {
          for (const auto& a : *list) write_attempt(*response->add_attempts(), a);
        });
      });
    });
  }

  reactor* BulkCancel(context* ctx, const v1::BulkRequest* request, v1::BulkResponse* response) override {
    return bulk(ctx, bulk_request::verb::cancel, request, response);
  }
  reactor* BulkRetry(context* ctx, const v1::BulkRequest* request, v1::BulkResponse* response) override {
    return bulk(ctx, bulk_request::verb::retry, request, response);
  }

  reactor* bulk(context* ctx, bulk_request::verb what, const v1::BulkRequest* request, v1::BulkResponse* response) {
    return guarded(ctx, [&](const call_ptr& c) {
      auto read = read_bulk(what, *request);
      if (!read) return c->fail(read.failure());
      // Its own limit: what was asked for goes on when the client has left.
      client->bulk(std::move(*read), bulk_limit, [c, response](bulk_answer counts) {
        if (!counts) return c->fail(counts.failure());
        c->succeed([&] {
          response->set_matched(static_cast<std::int64_t>(counts->matched));
          response->set_changed(static_cast<std::int64_t>(counts->changed));
          response->set_dry_run(counts->dry_run);
        });
      });
    });
  }

  reactor* Cancel(context* ctx, const v1::CancelRequest* request, v1::CancelResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto id = read_id(request->id());
      if (!id) return c->fail(id.failure());
      client->cancel(*id, time_left(*c), [c, response](cancelled_answer done) {
        if (!done) return c->fail(done.failure());
        c->succeed([&] {
          response->set_cancelled(done->cancelled);
          write_task(*response->mutable_task(), done->record);
        });
      });
    });
  }

  reactor* Update(context* ctx, const v1::UpdateRequest* request, v1::Task* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto id = read_id(request->id());
      if (!id) return c->fail(id.failure());
      auto edit = read_edit(*request, options.now());
      if (!edit) return c->fail(edit.failure());
      client->edit(edit_request{*id, std::move(*edit)}, time_left(*c), [c, response](find_answer changed) {
        if (!changed) return c->fail(changed.failure());
        c->succeed([&] { write_task(*response, *changed); });
      });
    });
  }

  reactor* Retry(context* ctx, const v1::RetryRequest* request, v1::Task* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto id = read_id(request->id());
      if (!id) return c->fail(id.failure());
      client->retry(*id, time_left(*c), [c, response](find_answer again) {
        if (!again) return c->fail(again.failure());
        c->succeed([&] { write_task(*response, *again); });
      });
    });
  }

  reactor* Explain(context* ctx, const v1::ExplainRequest* request, v1::ExplainResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      const auto id = read_id(request->id());
      if (!id) return c->fail(id.failure());
      client->explain(*id, time_left(*c), [c, response](explain_answer why) {
        if (!why) return c->fail(why.failure());
        c->succeed([&] {
          response->set_state(static_cast<v1::State>(static_cast<int>(why->state) + 1));
          write_reasons(*response->mutable_reasons(), why->reasons);
        });
      });
    });
  }

  reactor* Queues(context* ctx, const v1::QueuesRequest*, v1::QueuesResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      client->queues(time_left(*c), [c, response](queues_answer list) {
        if (!list) return c->fail(list.failure());
        c->succeed([&] {
          for (const auto& q : *list) write_queue(*response->add_queues(), q);
        });
      });
    });
  }

  reactor* Workers(context* ctx, const v1::WorkersRequest*, v1::WorkersResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      client->workers(time_left(*c), [c, response](workers_answer list) {
        if (!list) return c->fail(list.failure());
        c->succeed([&] {
          for (const auto& w : *list) write_worker(*response->add_workers(), w);
        });
      });
    });
  }

private:
  duration time_left(const call& c) const { return rpc::time_left(c, options); }
};

} // namespace

std::unique_ptr<grpc::Service> make_task_service(caf::actor_system& system, scheduler_actor scheduler, task_service_options options) {
  return std::make_unique<task_rpc>(system, std::move(scheduler), std::move(options));
}

} // namespace taskmaster
