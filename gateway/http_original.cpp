#include "gateway/http_original.hpp"

#include "gateway/await.hpp"
#include "gateway/json_door.hpp"
#include "schema/task.hpp"

#include <set>

namespace taskmaster {
namespace {

std::string shell_payload(const std::string& command) {
  json_writer out;
  out.begin_object().field("command", command).end_object();
  return out.take();
}

/// The command of a task that any door may have brought in.
std::string command_of(const task& t) {
  const json_view payload(t.payload ? *t.payload : std::string_view());
  for (const auto& [name, value] : payload.members())
    if (name == "command")
      if (auto s = value.string()) return *s;
  return t.kind;
}

} // namespace

http_answer http_schedule(http_desk& desk, const http_call& call) {
  auto json = open_json(call.body);
  if (!json) return refuse(json.failure());
  std::vector<field_fault> faults;
  std::string command;
  std::optional<timestamp> at;
  std::set<std::string> seen;
  if (json->what() != json_view::type::object) faults.push_back({"", "has to be an object; this is " + std::string(json->what_text())});
  for (const auto& [name, value] : json->members()) {
    seen.insert(name);
    const std::string field = "/" + pointer_token(name);
    auto text = value.string();
    if (name != "command" && name != "scheduled_at") {
      faults.push_back({field, "is no field of this request; these are command and scheduled_at"});
    } else if (!text) {
      faults.push_back({field, "has to be a string; this is " + std::string(value.what_text())});
    } else if (name == "command") {
      if (text->empty()) faults.push_back({field, "is empty"});
      command = std::move(*text);
    } else if (auto t = parse_timestamp(*text)) {
      at = *t;
    } else {
      faults.push_back({field, t.failure().message});
    }
  }
  for (const char* name : {"command", "scheduled_at"})
    if (!seen.contains(name) && json->what() == json_view::type::object) faults.push_back({std::string("/") + name, "is missing"});
  if (!faults.empty())
    return refuse(error(ec::invalid_argument, "Send {\"command\": \"...\", \"scheduled_at\": \"2030-01-31T12:00:00+01:00\"}; `errors` names what differs.",
                        std::move(faults)));

  task_spec spec;
  spec.kind = "shell";
  spec.payload = shell_payload(command);
  spec.run_at = at;
  spec.max_attempts = 1;
  if (auto broken = validate(spec, desk.now())) {
    for (auto& f : broken->faults)
      if (f.field == "/run_at") f.field = "/scheduled_at";
    return refuse(*broken);
  }
  auto stored = await_answer<submit_answer>(desk.deadline, [&](auto then) {
    desk.scheduler.submit(submit_request{{std::move(spec)}}, desk.deadline, std::move(then));
  });
  if (!stored) return refuse(stored.failure());
  if (stored->size() != 1) return refuse(error(ec::internal, "the scheduler answered one task with another number of rows"));
  if (stored->front().refused) return refuse(*stored->front().refused);
  json_writer out;
  out.begin_object().field("command", command);
  out.key("scheduled_at").integer(std::chrono::floor<std::chrono::seconds>(*at).time_since_epoch().count());
  out.field("task_id", stored->front().task.id.str()).end_object();
  return answer_json(200, std::move(out));
}

http_answer http_status(http_desk& desk, const http_call& call) {
  std::optional<uuid> id;
  std::vector<field_fault> faults;
  for (const auto& [name, value] : call.query) {
    if (name != "task_id")
      faults.push_back({"/" + pointer_token(name), "is no parameter of this request; it has one, task_id"});
    else if (id)
      faults.push_back({"/task_id", "is there twice; give it once"});
    else if (!(id = uuid::parse(value)))
      faults.push_back({"/task_id", "has to be a UUID of 36 characters"});
  }
  if (!id && faults.empty()) faults.push_back({"/task_id", "is missing"});
  if (!faults.empty()) return refuse(error(ec::invalid_argument, "Ask for /status?task_id= and the id that /schedule gave.", std::move(faults)));
  auto found = await_answer<find_answer>(desk.deadline, [&](auto then) { desk.scheduler.find(*id, desk.deadline, std::move(then)); });
  if (!found) return refuse(found.failure());
  const auto& r = *found;
  json_writer out;
  out.begin_object().field("task_id", r.task.id.str()).field("command", command_of(r.task)).field("scheduled_at", r.task.run_at);
  if (r.picked_at) out.field("picked_at", r.picked_at);
  if (r.started_at) out.field("started_at", r.started_at);
  if (r.finished_at) out.field(r.state == task_state::succeeded ? "completed_at" : "failed_at", r.finished_at);
  out.end_object();
  return answer_json(200, std::move(out));
}

} // namespace taskmaster
