#include "gateway/http_queues.hpp"

#include "gateway/await.hpp"
#include "gateway/json_door.hpp"
#include "gateway/queue_json.hpp"

namespace taskmaster {
namespace {

http_answer shown(const queue_answer& queue) {
  if (!queue) return refuse(queue.failure());
  json_writer out;
  write_queue(out, *queue);
  return answer_json(200, std::move(out));
}

http_answer change(http_desk& desk, expected<queue_change> wanted) {
  if (!wanted) return refuse(wanted.failure());
  return shown(await_answer<queue_answer>(desk.deadline, [&](auto then) { desk.scheduler.set_queue(std::move(*wanted), desk.deadline, std::move(then)); }));
}

http_answer pause(http_desk& desk, const http_call& call, bool yes) {
  const bool empty = call.body.find_first_not_of(" \t\r\n") == std::string::npos;
  auto json = empty ? expected<json_view>(json_view{}) : open_json(call.body);
  if (!json) return refuse(json.failure());
  if (!empty && json->what() != json_view::type::object)
    return refuse(error(ec::invalid_argument, "The body has to be empty or an object of kind and key.", {{"", "has to be an object"}}));
  return change(desk, read_pause(*json, call.arguments.at(0), yes));
}

} // namespace

http_answer http_queues(http_desk& desk, const http_call&) {
  auto list = await_answer<queues_answer>(desk.deadline, [&](auto then) { desk.scheduler.queues(desk.deadline, std::move(then)); });
  if (!list) return refuse(list.failure());
  json_writer out;
  out.begin_object().key("queues").begin_array();
  for (const auto& q : *list) write_queue(out, q);
  out.end_array().key("next_cursor").null().end_object();
  return answer_json(200, std::move(out));
}

http_answer http_get_queue(http_desk& desk, const http_call& call) {
  const auto& name = call.arguments.at(0);
  return shown(await_answer<queue_answer>(desk.deadline, [&](auto then) { desk.scheduler.queue(name, desk.deadline, std::move(then)); }));
}

http_answer http_put_queue(http_desk& desk, const http_call& call) {
  auto json = open_json(call.body);
  if (!json) return refuse(json.failure());
  return change(desk, read_queue_change(*json, call.arguments.at(0)));
}

http_answer http_pause_queue(http_desk& desk, const http_call& call) { return pause(desk, call, true); }
http_answer http_resume_queue(http_desk& desk, const http_call& call) { return pause(desk, call, false); }

http_answer http_explain(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  auto why = await_answer<explain_answer>(desk.deadline, [&](auto then) { desk.scheduler.explain(*id, desk.deadline, std::move(then)); });
  if (!why) return refuse(why.failure());
  json_writer out;
  write_explanation(out, *why);
  return answer_json(200, std::move(out));
}

} // namespace taskmaster
