// Queues and explanations as protobuf (proto/taskmaster/v1/queue.proto and task.proto), for clients and for the link between a scheduler and
// the coordinator. Pure; any thread.
#pragma once
#include "actors/messages.hpp"
#include "taskmaster/v1/queue.pb.h"

namespace taskmaster {

void write_change(v1::QueueChange& out, const queue_change& change);
/// Nothing is judged but lengths of time; `validate` has the rules.
expected<queue_change> read_change(const v1::QueueChange& in);
void write_settings(v1::QueueSettings& out, const queue_settings& settings);
queue_settings read_settings(const v1::QueueSettings& in, const std::string& name);
void write_queue_state(v1::QueueState& out, const queue_info& queue);

void write_reasons(google::protobuf::RepeatedPtrField<v1::Reason>& out, const std::vector<task_reason>& reasons);
std::vector<task_reason> read_reasons(const google::protobuf::RepeatedPtrField<v1::Reason>& in);

} // namespace taskmaster
