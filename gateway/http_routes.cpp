// The table of routes. A new one goes here, and nowhere else: routing, 405 and /openapi.json follow.
#include "gateway/http_call.hpp"
#include "gateway/http_events.hpp"
#include "gateway/http_original.hpp"
#include "gateway/http_queues.hpp"
#include "gateway/http_schedules.hpp"
#include "gateway/http_service.hpp"
#include "gateway/http_tasks.hpp"

namespace taskmaster {
namespace {

constexpr char text[] = R"({"type": "string"})";
constexpr char name_text[] = R"({"type": "string", "pattern": "^[a-z0-9_.-]{1,64}$"})";
constexpr char state_text[] =
    R"({"type": "string", "enum": ["scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired"]})";
constexpr char names_text[] = R"({"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9_.-]{1,64}$"}})";
constexpr char states_text[] =
    R"({"type": "array", "items": {"type": "string", "enum": ["scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired"]}})";
constexpr char uuids_text[] = R"({"type": "array", "maxItems": 1000, "items": {"type": "string", "format": "uuid"}})";
constexpr char labels_text[] = R"({"type": "array", "items": {"type": "string"}})";
constexpr char limit_number[] = R"({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})";
constexpr char uuid_text[] = R"({"type": "string", "format": "uuid"})";

std::vector<http_route> make_routes() {
  return {
      {"POST", "/v1/tasks", http_submit, "submitTask", "Store one task; answered after commit",
       {{"header", "Idempotency-Key", R"({"type": "string", "maxLength": 256})",
         "The same key and body within 24 hours answer with the first task; another body is refused"}},
       "TaskSpec",
       {{201, "Task", "Stored; Location names it"}, {200, "Task", "The key was known: the first task"}}},
      {"POST", "/v1/tasks/batch", http_submit_batch, "submitBatch", "Store up to 10,000 tasks, each on its own", {}, "Batch",
       {{200, "BatchResults", "One result a row, in order"}}},
      {"GET", "/v1/tasks", http_list_tasks, "listTasks", "Tasks, newest first, page by page",
       {{"query", "queue", name_text, "Only of this queue"},
        {"query", "kind", name_text, "Only of this kind"},
        {"query", "state", state_text, "Only in this state"},
        {"query", "reason", text, "Only with this reason: attempts_exhausted, timeout, lost, quarantined, …"},
        {"query", "label", labels_text, "key=value, repeatable; all have to match"},
        {"query", "limit", limit_number, "Tasks a page"},
        {"query", "cursor", text, "next_cursor of the page before"}},
       nullptr,
       {{200, "TaskList", "A page"}}},
      {"GET", "/v1/tasks/{id}", http_get_task, "getTask", "One task", {}, nullptr, {{200, "Task", "The task"}}},
      {"PATCH", "/v1/tasks/{id}", http_patch, "changeTask", "Change a task that waits: what is left out stays, null is the default", {}, "TaskChange",
       {{200, "Task", "Committed: the task as it is now"}, {409, "Problem", "It runs or is finished; nothing was changed"}}},
      {"GET", "/v1/tasks/{id}/wait", http_wait, "waitForTask", "Answer when the task is finished",
       {{"query", "timeout", R"({"type": "string", "default": "30s"})", "How long to wait, at most 10m"}}, nullptr,
       {{200, "Task", "Finished"}, {202, "Task", "Not finished within the timeout: the task as it stands"}}},
      {"GET", "/v1/tasks/{id}/attempts", http_attempts, "listAttempts", "Every attempt of a task, oldest first", {}, nullptr,
       {{200, "AttemptList", "The attempts"}}},
      {"POST", "/v1/tasks/{id}/cancel", http_cancel, "cancelTask", "Cancel a task", {}, nullptr,
       {{200, "CancelledTask", "Cancelled: it will not run"}, {202, "CancelledTask", "It had been handed out: its worker is asked to stop, and the outcome tells"}}},
      {"POST", "/v1/tasks/{id}/retry", http_retry, "retryTask", "Run a finished task again under the same id", {}, nullptr,
       {{200, "Task", "Waiting again"}}},
      {"POST", "/v1/tasks/cancel", http_bulk_cancel, "cancelTasks", "Cancel every unfinished task that a filter matches; at most 100,000", {}, "BulkRequest",
       {{200, "BulkCounts", "How many matched, and how many were cancelled or asked to stop"}}},
      {"POST", "/v1/tasks/retry", http_bulk_retry, "retryTasks",
       "Run every finished task that a filter matches again, the failed ones when it names no state; at most 100,000", {}, "BulkRequest",
       {{200, "BulkCounts", "How many matched, and how many wait again"}}},
      {"GET", "/v1/tasks/{id}/explain", http_explain, "explainTask", "Why a task is not running now: every gate that holds it", {}, nullptr,
       {{200, "Explanation", "The reasons; `running` and `finished` among them"}}},
      {"GET", "/v1/queues", http_queues, "listQueues", "Queues: their settings, and how many tasks wait and run", {}, nullptr,
       {{200, "QueueList", "The queues"}}},
      {"GET", "/v1/queues/{name}", http_get_queue, "getQueue", "One queue", {}, nullptr, {{200, "Queue", "The queue"}}},
      {"PUT", "/v1/queues/{name}", http_put_queue, "putQueue",
       "Change a queue's settings: what is left out stays, null is the default. Makes the queue if there is none", {}, "QueueSettings",
       {{200, "Queue", "Committed and in effect"}}},
      {"POST", "/v1/queues/{name}/pause", http_pause_queue, "pauseQueue", "Start no more of a queue, or of a kind or key in it; what runs runs on",
       {}, "QueuePart", {{200, "Queue", "Committed and in effect"}}},
      {"POST", "/v1/queues/{name}/resume", http_resume_queue, "resumeQueue", "Go on with a queue, or a kind or key in it", {}, "QueuePart",
       {{200, "Queue", "Committed and in effect"}}},
      {"GET", "/v1/workers", http_workers, "listWorkers", "Who is there, and what each holds", {}, nullptr, {{200, "WorkerList", "The workers"}}},
      {"POST", "/v1/workers/{id}/drain", http_drain, "drainWorker", "Let a worker finish what it has and leave", {}, nullptr,
       {{202, "Draining", "It has been told"}}},
      {"GET", "/v1/events", http_events, "watchEvents",
       "Server-sent events: every transition of a task from now on, or after Last-Event-ID; `event: gap` first when what came after it is not kept",
       {{"query", "queue", names_text, "Only of these queues; repeatable"},
        {"query", "kind", names_text, "Only of these kinds; repeatable"},
        {"query", "state", states_text, "Only into these states; repeatable"},
        {"query", "label", labels_text, "key=value, repeatable; all have to match"},
        {"query", "task_id", uuids_text, "Only of these tasks; repeatable"},
        {"header", "Last-Event-ID", text, "The id of the last event that was seen"}},
       nullptr,
       {{200, nullptr, "text/event-stream: `event: task` with an Event as its data", "text/event-stream"}}},
      {"POST", "/schedule", http_schedule, "schedule", "The original endpoint: run a shell command once, at a time", {}, "ScheduleRequest",
       {{200, "ScheduleResponse", "Stored"}}},
      {"GET", "/status", http_status, "status", "The original endpoint: the instants of a task",
       {{"query", "task_id", uuid_text, "The id that /schedule gave", true}}, nullptr, {{200, "StatusResponse", "Those instants that are set"}}},
      {"GET", "/healthz", http_healthz, "healthz", "The process answers", {}, nullptr, {{200, "Alive", "It does"}}},
      {"GET", "/readyz", http_readyz, "readyz", "Whether tasks are accepted", {}, nullptr,
       {{200, "Readiness", "They are"}, {503, "Readiness", "The database cannot be reached"}}},
      {"GET", "/metrics", http_metrics_text, "metrics", "Metrics in Prometheus' text form", {}, nullptr, {{200, nullptr, "The metrics"}}},
      {"GET", "/openapi.json", http_openapi, "openapi", "This description", {}, nullptr, {{200, "OpenApi", "OpenAPI 3.1"}}},
  };
}

} // namespace

const std::vector<http_route>& http_routes() {
  static const auto routes = [] {
    auto all = make_routes();
    for (auto& r : schedule_routes()) all.push_back(std::move(r));
    return all;
  }();
  return routes;
}

} // namespace taskmaster
