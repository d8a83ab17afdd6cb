// Schedules as protobuf: for clients (proto/taskmaster/v1/schedule.proto) read strictly, and for the link between a scheduler and the
// coordinator (coordinator.proto). Pure; any thread.
#pragma once
#include "actors/messages.hpp"
#include "taskmaster/v1/coordinator.pb.h"
#include "taskmaster/v1/schedule.pb.h"

namespace taskmaster {

/// Reads and validates: every fault of form with its field's pointer, the task's under /task; then the rules.
expected<schedule_command> read_put(const v1::PutScheduleRequest& in, timestamp now);
expected<schedule_command> read_backfill(const v1::BackfillScheduleRequest& in, timestamp now);
void write_schedule(v1::Schedule& out, const schedule_record& record);
void write_unfired(v1::Unfired& out, const ledger_row& row);
void write_instant(google::protobuf::Timestamp& out, timestamp t);

// The link: what was judged at the door is carried as it is.
v1::ScheduleOrder order_of(const schedule_command& command);
expected<schedule_command> command_of(const v1::ScheduleOrder& in);
void put_outcome(const schedule_outcome& outcome, v1::ScheduleOrderAnswer& out);
expected<schedule_outcome> outcome_of(const v1::ScheduleOrderAnswer& in);

} // namespace taskmaster
