// The gRPC door to queues: taskmaster.v1.QueueService, beside TaskService on the same server. Any thread.
#pragma once
#include "gateway/task_service.hpp"

namespace taskmaster {

/// As make_task_service: shut the server down before the service is destroyed.
std::unique_ptr<grpc::Service> make_queue_service(caf::actor_system& system, scheduler_actor scheduler, task_service_options options = {});

} // namespace taskmaster
