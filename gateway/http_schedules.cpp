#include "gateway/http_schedules.hpp"

#include "gateway/await.hpp"
#include "gateway/json_door.hpp"
#include "gateway/schedule_json.hpp"
#include "gateway/task_json.hpp"

#include <charconv>
#include <set>

namespace taskmaster {
namespace {

/// limit, cursor and count, of those that `known` names; every fault is told.
struct list_parameters {
  std::size_t limit = 100, count = 10;
  std::string cursor;
};
expected<list_parameters> read_parameters(const query_parameters& query, std::initializer_list<std::string_view> known) {
  list_parameters out;
  std::vector<field_fault> faults;
  std::set<std::string> seen;
  bool over = false;
  for (const auto& [name, value] : query) {
    const auto fault = [&, field = "/" + pointer_token(name)](std::string why) { faults.push_back({field, std::move(why)}); };
    if (std::find(known.begin(), known.end(), name) == known.end()) fault("is no parameter of this request");
    else if (!seen.insert(name).second) fault("is there twice; give it once");
    else if (name == "cursor") out.cursor = value;
    else {
      std::size_t n = 0;
      const auto [end, broken] = std::from_chars(value.data(), value.data() + value.size(), n);
      const bool whole = broken == std::errc() && end == value.data() + value.size() && n > 0;
      over = over || (whole && n > limits::page);
      if (!whole || n > limits::page) fault("has to be a whole number from 1 to " + std::to_string(limits::page));
      (name == "limit" ? out.limit : out.count) = n;
    }
  }
  if (faults.empty()) return out;
  const auto code = over && faults.size() == 1 ? ec::unprocessable : ec::invalid_argument;
  return error(code, "The request cannot be read; `errors` names the parameters.", std::move(faults));
}

schedule_answer change(http_desk& desk, schedule_command command) {
  return await_answer<schedule_answer>(desk.deadline, [&](auto then) { desk.scheduler.change_schedule(std::move(command), desk.deadline, std::move(then)); });
}

schedule_found_answer ask(http_desk& desk, schedule_query query) {
  return await_answer<schedule_found_answer>(desk.deadline, [&](auto then) { desk.scheduler.schedules(std::move(query), desk.deadline, std::move(then)); });
}

http_answer shown(const schedule_answer& outcome) {
  if (!outcome) return refuse(outcome.failure());
  json_writer out;
  write_schedule(out, outcome->schedule);
  auto answer = answer_json(outcome->created ? 201 : 200, std::move(out));
  if (outcome->created) answer.headers.emplace_back("Location", "/v1/schedules/" + outcome->schedule.spec.name);
  return answer;
}

http_answer simple(http_desk& desk, const http_call& call, schedule_command::verb what) {
  schedule_command command;
  command.what = what;
  command.name = call.arguments.at(0);
  return shown(change(desk, std::move(command)));
}

http_answer preview(const schedule_spec& spec, std::size_t count, timestamp now) {
  const auto found = preview_of(spec, count, now);
  if (!found) return refuse(found.failure());
  json_writer out;
  out.begin_object().key("instants").begin_array();
  for (const auto t : found->instants) out.string(format_timestamp(t));
  out.end_array().field("warnings", found->warnings).end_object();
  return answer_json(200, std::move(out));
}

expected<schedule_command> read_body(const http_call& call, bool backfill, timestamp now) {
  const bool empty = call.body.find_first_not_of(" \t\r\n") == std::string::npos;
  auto json = empty ? expected<json_view>(json_view{}) : open_json(call.body);
  if (!json) return json.failure();
  return read_run(*json, call.arguments.at(0), backfill, now);
}

} // namespace

http_answer http_put_schedule(http_desk& desk, const http_call& call) {
  auto json = open_json(call.body);
  if (!json) return refuse(json.failure());
  auto command = read_schedule(*json, call.arguments.at(0), desk.now());
  if (!command) return refuse(command.failure());
  return shown(change(desk, std::move(*command)));
}

http_answer http_get_schedule(http_desk& desk, const http_call& call) {
  const auto found = ask(desk, {schedule_query::verb::find, call.arguments.at(0), {}, 1});
  if (!found) return refuse(found.failure());
  json_writer out;
  write_schedule(out, found->page.schedules.at(0));
  return answer_json(200, std::move(out));
}

http_answer http_delete_schedule(http_desk& desk, const http_call& call) { return simple(desk, call, schedule_command::verb::remove); }
http_answer http_pause_schedule(http_desk& desk, const http_call& call) { return simple(desk, call, schedule_command::verb::pause); }
http_answer http_resume_schedule(http_desk& desk, const http_call& call) { return simple(desk, call, schedule_command::verb::resume); }

http_answer http_list_schedules(http_desk& desk, const http_call& call) {
  const auto p = read_parameters(call.query, {"limit", "cursor"});
  if (!p) return refuse(p.failure());
  const auto found = ask(desk, {schedule_query::verb::list, {}, p->cursor, p->limit});
  if (!found) return refuse(found.failure());
  json_writer out;
  out.begin_object().key("schedules").begin_array();
  for (const auto& s : found->page.schedules) write_schedule(out, s);
  out.end_array().field_or_null("next_cursor", found->page.next_cursor).end_object();
  return answer_json(200, std::move(out));
}

http_answer http_trigger_schedule(http_desk& desk, const http_call& call) {
  auto command = read_body(call, false, desk.now());
  if (!command) return refuse(command.failure());
  const auto outcome = change(desk, std::move(*command));
  if (!outcome) return refuse(outcome.failure());
  if (outcome->tasks.empty()) return refuse(error(ec::ambiguous, "The task's row did not come back; look at the schedule's tasks."));
  const auto& row = outcome->tasks.front();
  json_writer out;
  write_task(out, record_of(row, outcome->schedule.spec.task.labels));
  auto answer = answer_json(201, std::move(out));
  answer.headers.emplace_back("Location", "/v1/tasks/" + row.id.str());
  return answer;
}

http_answer http_backfill_schedule(http_desk& desk, const http_call& call) {
  auto command = read_body(call, true, desk.now());
  if (!command) return refuse(command.failure());
  const auto outcome = change(desk, std::move(*command));
  if (!outcome) return refuse(outcome.failure());
  json_writer out;
  out.begin_object().key("matched").integer(static_cast<std::int64_t>(outcome->matched));
  out.key("submitted").integer(static_cast<std::int64_t>(outcome->tasks.size())).end_object();
  return answer_json(200, std::move(out));
}

http_answer http_preview_schedule(http_desk& desk, const http_call& call) {
  const auto p = read_parameters(call.query, {"count"});
  if (!p) return refuse(p.failure());
  const auto found = ask(desk, {schedule_query::verb::find, call.arguments.at(0), {}, 1});
  if (!found) return refuse(found.failure());
  return preview(found->page.schedules.at(0).spec, p->count, desk.now());
}

http_answer http_preview_definition(http_desk& desk, const http_call& call) {
  const auto p = read_parameters(call.query, {"count"});
  if (!p) return refuse(p.failure());
  auto json = open_json(call.body);
  if (!json) return refuse(json.failure());
  // Its name seeds `~`, and here it may be in the body or missing.
  std::string name = "preview";
  for (const auto& [field, value] : json->members())
    if (field == "name") name = value.string().value_or(name);
  const auto command = read_schedule(*json, name, desk.now());
  if (!command) return refuse(command.failure());
  return preview(command->spec, p->count, desk.now());
}

http_answer http_schedule_ledger(http_desk& desk, const http_call& call) {
  const auto p = read_parameters(call.query, {"limit", "cursor"});
  if (!p) return refuse(p.failure());
  const auto found = ask(desk, {schedule_query::verb::ledger, call.arguments.at(0), p->cursor, p->limit});
  if (!found) return refuse(found.failure());
  json_writer out;
  out.begin_object().key("ledger").begin_array();
  for (const auto& row : found->ledger.rows) write_unfired(out, row);
  out.end_array().field_or_null("next_cursor", found->ledger.next_cursor).end_object();
  return answer_json(200, std::move(out));
}

} // namespace taskmaster
