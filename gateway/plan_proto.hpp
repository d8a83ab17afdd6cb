// Tasks and what the leader knows of them as protobuf and back (proto/taskmaster/v1/coordinator.proto), for the link between a scheduler
// and the coordinator. Pure; any thread.
#pragma once
#include "actors/interfaces.hpp"
#include "taskmaster/v1/coordinator.pb.h"

namespace taskmaster {

void put_task(const task& t, v1::PlannedTask* out);
task task_of(const v1::PlannedTask& in);
void put_edit(const edit_request& request, v1::EditTaskRequest& out);
edit_request edit_of(const v1::EditTaskRequest& in);
void put_live(const live_task& t, v1::LiveTask* out);
live_task live_of(const v1::LiveTask& in);
void put_worker_info(const worker_info& w, v1::Worker* out);
worker_info worker_info_of(const v1::Worker& in);

std::string bytes_of(const uuid& id);
/// nil for anything but 16 bytes.
uuid uuid_of(const std::string& bytes);

} // namespace taskmaster
