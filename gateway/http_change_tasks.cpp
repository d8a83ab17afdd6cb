// Cancel, change and retry.
#include "gateway/await.hpp"
#include "gateway/bulk_json.hpp"
#include "gateway/http_tasks.hpp"
#include "gateway/json_door.hpp"
#include "gateway/task_json.hpp"

namespace taskmaster {

http_answer http_cancel(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  auto done = await_answer<cancelled_answer>(desk.deadline, [&](auto then) { desk.scheduler.cancel(*id, desk.deadline, std::move(then)); });
  if (!done) return refuse(done.failure());
  json_writer out;
  out.begin_object();
  write_task_fields(out, done->record);
  out.field("cancel", done->cancelled ? "cancelled" : "cancel_requested").end_object();
  return answer_json(done->cancelled ? 200 : 202, std::move(out));
}

http_answer http_patch(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  const auto json = open_json(call.body);
  if (!json) return refuse(json.failure());
  auto edit = read_edit(*json, desk.now());
  if (!edit) return refuse(edit.failure());
  auto changed = await_answer<find_answer>(desk.deadline, [&](auto then) {
    desk.scheduler.edit(edit_request{*id, std::move(*edit)}, desk.deadline, std::move(then));
  });
  if (!changed) return refuse(changed.failure());
  json_writer out;
  write_task(out, *changed);
  return answer_json(200, std::move(out));
}

http_answer http_retry(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  auto again = await_answer<find_answer>(desk.deadline, [&](auto then) { desk.scheduler.retry(*id, desk.deadline, std::move(then)); });
  if (!again) return refuse(again.failure());
  json_writer out;
  write_task(out, *again);
  return answer_json(200, std::move(out));
}

namespace {

http_answer bulk(http_desk& desk, const http_call& call, bulk_request::verb what) {
  auto request = read_bulk(what, call.body);
  if (!request) return refuse(request.failure());
  auto counts = await_answer<bulk_answer>(bulk_limit, [&](auto then) { desk.scheduler.bulk(std::move(*request), bulk_limit, std::move(then)); });
  if (!counts) return refuse(counts.failure());
  json_writer out;
  out.begin_object().key("matched").integer(static_cast<std::int64_t>(counts->matched));
  out.key("changed").integer(static_cast<std::int64_t>(counts->changed)).key("dry_run").boolean(counts->dry_run).end_object();
  return answer_json(200, std::move(out));
}

} // namespace

http_answer http_bulk_cancel(http_desk& desk, const http_call& call) { return bulk(desk, call, bulk_request::verb::cancel); }
http_answer http_bulk_retry(http_desk& desk, const http_call& call) { return bulk(desk, call, bulk_request::verb::retry); }

} // namespace taskmaster
