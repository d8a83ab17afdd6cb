// Tasks as protobuf: a spec read strictly, a record written with the names of proto/taskmaster/v1/task.proto. Used by task_service. Pure; any thread.
#pragma once
#include "gateway/bulk_json.hpp"
#include "actors/messages.hpp"
#include "schema/task_edit.hpp"

#include "taskmaster/v1/task.pb.h"

namespace taskmaster {

/// Reads and validates, as read_task does for JSON: every fault of form at once, each with the field's pointer; then the rules.
expected<task_spec> read_task(const v1::TaskSpec& spec, timestamp now, task_spec* seen = nullptr);
/// What the mask names.
expected<task_edit> read_edit(const v1::UpdateRequest& in, timestamp now);
expected<task_filter> read_filter(const v1::ListRequest& request);
expected<bulk_request> read_bulk(bulk_request::verb what, const v1::BulkRequest& in);
/// A length of time; nothing when it is negative, malformed or beyond 100 years.
std::optional<duration> read_duration(const google::protobuf::Duration& d);

void write_task(v1::Task& out, const task_record& record);
void write_attempt(v1::Attempt& out, const attempt_record& attempt);
void write_queue(v1::Queue& out, const queue_info& queue);
void write_worker(v1::Worker& out, const worker_info& worker);
void write_error(v1::RowError& out, const error& e);

} // namespace taskmaster
