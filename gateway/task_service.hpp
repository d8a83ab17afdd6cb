// The gRPC door for clients: taskmaster.v1.TaskService over the callback API, so that no thread waits for an answer. Made by the
// composition of a scheduler node (cluster/), which hands it to the server it starts. Any thread.
#pragma once
#include "actors/interfaces.hpp"

#include <functional>
#if __has_include(<grpcpp/impl/service_type.h>)
#include <grpcpp/impl/service_type.h>
#else
#include <grpcpp/impl/codegen/service_type.h>
#endif
#include <memory>

namespace taskmaster {

struct task_service_options {
  /// Of a call whose client set no deadline; a client's own counts up to `longest`.
  duration deadline = std::chrono::seconds(10);
  duration longest = std::chrono::seconds(30);
  /// Of a Wait, and what it may ask for at most.
  duration wait = std::chrono::seconds(30);
  duration longest_wait = std::chrono::minutes(10);
  /// The clock that bounds run_at; the machine's when empty.
  std::function<timestamp()> now;
};

/// What a server that carries this service has to let in: the body limit, and the room protobuf needs beside it.
constexpr int task_message_bytes = static_cast<int>(limits::body_bytes) + (1 << 20);

/// Every call is finished exactly once: by its answer, by its deadline, when its client gives up, or when the server or the
/// service goes. Shut the server down before the service is destroyed.
std::unique_ptr<grpc::Service> make_task_service(caf::actor_system& system, scheduler_actor scheduler, task_service_options options = {});

} // namespace taskmaster
