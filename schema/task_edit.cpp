#include "schema/task_edit.hpp"

#include "schema/graph.hpp"
#include "schema/webhook.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

constexpr std::string_view editable[] = {"run_at", "delay", "priority", "payload", "timeout", "heartbeat_timeout", "expires_at", "max_attempts",
                                         "retry.initial", "retry.factor", "retry.max", "retry.jitter", "labels", "queue", "concurrency_key"};
/// Named by no client: a whole task in the place of another.
constexpr std::string_view whole[] = {"kind", "delivery", "options"};

} // namespace

const char* const editable_fields =
    "run_at or delay, priority, payload, timeout, heartbeat_timeout, expires_at, max_attempts, retry, labels, queue and concurrency_key";

bool may_be_edited(std::string_view field) { return std::find(std::begin(editable), std::end(editable), field) != std::end(editable); }

task_edit edit_of(task_spec spec) {
  task_edit edit;
  edit.fields.insert(std::begin(editable), std::end(editable));
  edit.fields.insert(std::begin(whole), std::end(whole));
  edit.fields.erase(spec.run_at ? "delay" : "run_at");
  if (!spec.run_at && !spec.delay) spec.delay = duration{0};
  edit.to = std::move(spec);
  return edit;
}

std::optional<error> validate(const task_edit& edit, timestamp now) {
  if (edit.fields.empty())
    return error{ec::invalid_argument, std::string("nothing is to be changed; name one of ") + editable_fields, {{"", "names no field"}}};
  auto spec = edit.to;
  if (!edit.fields.contains("kind")) spec.kind = "any";
  return validate(spec, now);
}

expected<task_edition> edited(const task& row, const task_edit& edit, timestamp now) {
  if (row.kind == webhook_kind) { // its words are signed
    const std::string why = "a webhook cannot be changed: it tells of the task that its label names, and is signed; cancel it if nobody is to be told";
    return error{ec::unprocessable, why, {{"", why}}};
  }
  const auto has = [&](const char* field) { return edit.fields.contains(field); };
  const auto& to = edit.to;
  if (waits(row) && (has("run_at") || has("delay"))) {
    const char* field = has("run_at") ? "/run_at" : "/delay";
    return error{ec::unprocessable, std::string(field).substr(1) + " cannot be changed while the task waits for others",
                 {{field, "cannot be changed while the task waits for others; it counts once these have ended"}}};
  }
  task_edition out{version_of(row), row, {}, {}};
  auto& t = out.row;
  auto options = options_of(row.options);
  if (has("options")) {
    const auto unique = options; // the key is the row's, and so is how it is held
    options = to.options;
    options.scope = unique.scope;
    options.unique_period = unique.unique_period;
    options.period_key = unique.period_key;
  }
  if (has("heartbeat_timeout")) options.heartbeat_timeout = to.options.heartbeat_timeout;
  if (has("kind")) t.kind = to.kind;
  if (has("delivery")) t.delivery = to.delivery;
  if (has("queue")) t.queue = to.queue;
  if (has("priority")) t.priority = to.priority;
  if (has("payload")) t.payload = std::make_shared<const std::string>(to.payload);
  if (has("timeout")) t.timeout = to.timeout;
  if (has("expires_at")) t.expires_at = to.expires_at;
  if (has("max_attempts")) t.max_attempts = to.max_attempts;
  if (has("retry.initial")) t.retry.initial = to.retry.initial;
  if (has("retry.factor")) t.retry.factor = to.retry.factor;
  if (has("retry.max")) t.retry.max = to.retry.max;
  if (has("retry.jitter")) t.retry.jitter = to.retry.jitter;
  if (has("concurrency_key")) t.concurrency_key = to.concurrency_key;
  if (has("labels")) out.labels = to.labels;
  if (has("run_at")) t.run_at = to.run_at.value_or(now);
  if (has("delay")) {
    out.wait = to.delay.value_or(duration{0});
    t.run_at = now + *out.wait;
  }
  t.options = share(options);

  task_spec judged;
  judged.kind = t.kind;
  judged.queue = t.queue;
  judged.max_attempts = has("max_attempts") ? t.max_attempts : task_spec{}.max_attempts;
  judged.delivery = t.delivery;
  if (has("run_at") || has("delay") || has("expires_at")) {
    if (!waits(t)) judged.run_at = t.run_at;
    judged.expires_at = t.expires_at;
    if (has("expires_at") && t.expires_at && *t.expires_at <= now) judged.run_at = now; // said against the present, not a past run_at
  }
  if (auto broken = validate(judged, now)) return std::move(*broken);
  if (t.delivery == delivery_mode::at_most_once) t.max_attempts = 1;
  return out;
}

} // namespace taskmaster
