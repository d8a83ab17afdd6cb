#include "gateway/http_schedules.hpp"

namespace taskmaster {
namespace {

constexpr char text[] = R"({"type": "string"})";
constexpr char limit_number[] = R"({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})";
constexpr char count_number[] = R"({"type": "integer", "minimum": 1, "maximum": 1000, "default": 10})";

} // namespace

std::vector<http_route> schedule_routes() {
  const http_parameter limit{"query", "limit", limit_number, "Rows a page"}, cursor{"query", "cursor", text, "next_cursor of the page before"},
      count{"query", "count", count_number, "How many"};
  return {
      {"GET", "/v1/schedules", http_list_schedules, "listSchedules", "Schedules by name, page by page", {limit, cursor}, nullptr, {{200, "ScheduleList", "A page"}}},
      {"PUT", "/v1/schedules/{name}", http_put_schedule, "putSchedule",
       "Make a schedule or replace its definition; the same definition again changes nothing", {}, "ScheduleSpec",
       {{200, "Schedule", "Committed and in effect"}, {201, "Schedule", "Made"}}},
      {"GET", "/v1/schedules/{name}", http_get_schedule, "getSchedule", "One schedule", {}, nullptr, {{200, "Schedule", "The schedule"}}},
      {"DELETE", "/v1/schedules/{name}", http_delete_schedule, "deleteSchedule", "Delete a schedule; its tasks stay", {}, nullptr,
       {{200, "Schedule", "Deleted: as it was"}}},
      {"POST", "/v1/schedules/{name}/pause", http_pause_schedule, "pauseSchedule", "Fire no more; its tasks stay", {}, nullptr,
       {{200, "Schedule", "Committed and in effect"}}},
      {"POST", "/v1/schedules/{name}/resume", http_resume_schedule, "resumeSchedule", "Fire again, from the next instant on", {}, nullptr,
       {{200, "Schedule", "Committed and in effect"}}},
      {"POST", "/v1/schedules/{name}/trigger", http_trigger_schedule, "triggerSchedule", "Submit its task now, paused or not", {}, "ScheduleTrigger",
       {{201, "Task", "Stored; Location names it"}}},
      {"POST", "/v1/schedules/{name}/backfill", http_backfill_schedule, "backfillSchedule",
       "Submit a task for each instant of a past range that has none; at most 1,000", {}, "ScheduleBackfill",
       {{200, "BackfillCounts", "How many instants there are, and how many got a task"}}},
      {"GET", "/v1/schedules/{name}/preview", http_preview_schedule, "previewSchedule", "The next instants, strictly after now", {count}, nullptr,
       {{200, "SchedulePreview", "The instants"}}},
      {"POST", "/v1/schedules/preview", http_preview_definition, "previewDefinition", "The next instants of a definition, without storing it", {count},
       "ScheduleSpec", {{200, "SchedulePreview", "The instants"}}},
      {"GET", "/v1/schedules/{name}/ledger", http_schedule_ledger, "listScheduleLedger", "Instants that did not fire, and why; newest first", {limit, cursor},
       nullptr, {{200, "ScheduleLedger", "A page"}}},
  };
}

} // namespace taskmaster
