// A webhook: the task of kind `webhook` that comes to be together with the outcome of a task that names one, and tells its URL of it. An ordinary task
// otherwise: retried, listed, cancelled like any. PostgreSQL makes it in a trigger of the history (migrations/…_webhooks.sql);
// memory_database by what is here; one conformance case compares the two. Pure; any thread.
#pragma once
#include "schema/task.hpp"

namespace taskmaster {

inline constexpr std::string_view webhook_kind = "webhook";
inline constexpr std::string_view webhook_queue = "webhooks";

/// What is wrong with a URL, or nothing.
std::optional<std::string> webhook_url_fault(std::string_view url);

/// Its payload: {"url", "body"}, the body as the text that is signed and sent:
/// {"type": "task.succeeded", "timestamp", "data": {"id", "kind", "queue", "state", "reason", "attempt", "labels", "created_at",
/// "started_at", "finished_at", "result", "error"}}; of a long error message the first 16,384 characters.
task webhook_task(const task_record& ended, const uuid& id);
std::map<std::string, std::string> webhook_labels(const task_record& ended);

} // namespace taskmaster
