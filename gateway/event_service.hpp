// The gRPC door to events: taskmaster.v1.EventService, beside TaskService on the same server. Streams are pulled: the next page is asked for
// when the last is with the client, so a client that does not read is held by flow control, and after a while cut. Any thread.
#pragma once
#include "gateway/task_service.hpp"

namespace taskmaster {

struct event_service_options {
  std::size_t max_streams = 256;               // more get RESOURCE_EXHAUSTED
  duration heartbeat = std::chrono::seconds(15); // of a stream on which nothing happens
  duration silence = std::chrono::seconds(5);    // of a client that takes nothing
};

/// As make_task_service: shut the server down before the service is destroyed.
std::unique_ptr<grpc::Service> make_event_service(caf::actor_system& system, scheduler_actor scheduler, event_service_options options = {});

} // namespace taskmaster
