// Schedules as JSON: a definition read strictly, a schedule and its ledger written as clients see them ("A schedule" of the API). Used by
// the HTTP gateway. Pure; any thread.
#pragma once
#include "actors/messages.hpp"
#include "gateway/json_view.hpp"
#include "gateway/json_writer.hpp"

namespace taskmaster {

/// The body of a PUT. ec::invalid_argument with every fault of form, the task's under /task; else the rules of `validate`.
expected<schedule_command> read_schedule(const json_view& json, const std::string& name, timestamp now);
/// The body of a trigger or backfill: {"from", "until"} of the latter, {"overlap": "allow"} of both; a trigger's may be empty.
expected<schedule_command> read_run(const json_view& json, const std::string& name, bool backfill, timestamp now);

void write_schedule(json_writer& out, const schedule_record& record);
void write_unfired(json_writer& out, const ledger_row& row);

/// What is odd about a schedule and not wrong.
std::vector<std::string> warnings_of(const schedule_record& record);
/// The next `count` instants after `now`; with why there are none.
struct schedule_preview {
  std::vector<timestamp> instants;
  std::vector<std::string> warnings;
};
expected<schedule_preview> preview_of(const schedule_spec& spec, std::size_t count, timestamp now);

} // namespace taskmaster
