// The gRPC door to schedules: taskmaster.v1.ScheduleService, beside TaskService on the same server. Any thread.
#pragma once
#include "gateway/task_service.hpp"

namespace taskmaster {

/// As make_task_service: shut the server down before the service is destroyed.
std::unique_ptr<grpc::Service> make_schedule_service(caf::actor_system& system, scheduler_actor scheduler, task_service_options options = {});

} // namespace taskmaster
