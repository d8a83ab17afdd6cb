// Cancel and retry.
#include "gateway/await.hpp"
#include "gateway/http_tasks.hpp"
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

http_answer http_retry(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  auto again = await_answer<find_answer>(desk.deadline, [&](auto then) { desk.scheduler.retry(*id, desk.deadline, std::move(then)); });
  if (!again) return refuse(again.failure());
  json_writer out;
  write_task(out, *again);
  return answer_json(200, std::move(out));
}

} // namespace taskmaster
