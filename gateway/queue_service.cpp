#include "gateway/queue_service.hpp"

#include "gateway/grpc_call.hpp"
#include "gateway/queue_proto.hpp"
#include "gateway/scheduler_client.hpp"

#include "taskmaster/v1/queue.grpc.pb.h"

namespace taskmaster {
namespace {

using namespace rpc;

class queue_rpc final : public v1::QueueService::CallbackService {
public:
  queue_rpc(caf::actor_system& system, scheduler_actor scheduler, task_service_options o)
      : options(std::move(o)), client(std::make_shared<scheduler_client>(system, std::move(scheduler))) {}
  ~queue_rpc() override { client->stop(); }

  task_service_options options;
  std::shared_ptr<scheduler_client> client;

  reactor* GetQueue(context* ctx, const v1::GetQueueRequest* request, v1::QueueState* response) override {
    return guarded(ctx, [&](const call_ptr& c) { client->queue(request->name(), time_left(*c, options), shown(c, response)); });
  }

  reactor* ListQueues(context* ctx, const v1::ListQueuesRequest*, v1::ListQueuesResponse* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      client->queues(time_left(*c, options), [c, response](queues_answer list) {
        if (!list) return c->fail(list.failure());
        c->succeed([&] {
          for (const auto& q : *list) write_queue_state(*response->add_queues(), q);
        });
      });
    });
  }

  reactor* SetQueue(context* ctx, const v1::QueueChange* request, v1::QueueState* response) override {
    return guarded(ctx, [&](const call_ptr& c) {
      auto change = read_change(*request);
      if (!change) return c->fail(change.failure());
      if (const auto fault = validate(*change)) return c->fail(*fault);
      client->set_queue(std::move(*change), time_left(*c, options), shown(c, response));
    });
  }

private:
  static std::function<void(queue_answer)> shown(const call_ptr& c, v1::QueueState* response) {
    return [c, response](queue_answer queue) {
      if (!queue) return c->fail(queue.failure());
      c->succeed([&] { write_queue_state(*response, *queue); });
    };
  }
};

} // namespace

std::unique_ptr<grpc::Service> make_queue_service(caf::actor_system& system, scheduler_actor scheduler, task_service_options options) {
  return std::make_unique<queue_rpc>(system, std::move(scheduler), std::move(options));
}

} // namespace taskmaster
