#include "gateway/http_service.hpp"

#include "gateway/await.hpp"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace taskmaster {
namespace {

/// Probes are asked often and want a quick word: a scheduler that is silent this long is not ready.
constexpr duration probe_deadline = std::chrono::seconds(2);

} // namespace

http_answer http_workers(http_desk& desk, const http_call&) {
  auto list = await_answer<workers_answer>(desk.deadline, [&](auto then) { desk.scheduler.workers(desk.deadline, std::move(then)); });
  if (!list) return refuse(list.failure());
  json_writer out;
  out.begin_object().key("workers").begin_array();
  for (const auto& w : *list) {
    out.begin_object().field("id", w.id).field("name", w.name).field("incarnation", w.incarnation).field("peer", w.peer);
    out.field("state", w.state).field("queues", w.queues).field("kinds", w.kinds);
    out.key("slots").integer(w.slots).key("credit").integer(w.credit);
    out.key("tasks").begin_array();
    for (const auto& id : w.tasks) out.string(id.str());
    out.end_array().field("connected_at", w.connected_at).end_object();
  }
  out.end_array().key("next_cursor").null().end_object();
  return answer_json(200, std::move(out));
}

http_answer http_drain(http_desk& desk, const http_call& call) {
  const auto& id = call.arguments.at(0);
  auto done = await_answer<done_answer>(desk.deadline, [&](auto then) { desk.scheduler.drain(id, desk.deadline, std::move(then)); });
  if (!done) return refuse(done.failure());
  json_writer out;
  out.begin_object().field("id", id).field("state", "draining").end_object();
  return answer_json(202, std::move(out));
}

http_answer http_healthz(http_desk&, const http_call&) {
  json_writer out;
  out.begin_object().field("status", "ok").end_object();
  return answer_json(200, std::move(out));
}

http_answer http_readyz(http_desk& desk, const http_call&) {
  auto word = await_answer<expected<health>>(probe_deadline, [&](auto then) { desk.scheduler.health(probe_deadline, std::move(then)); });
  const health h = word ? *word : health{false, false, word.failure().message};
  json_writer out;
  out.begin_object().field("status", h.database ? "ready" : "unavailable").key("database").boolean(h.database);
  out.key("coordinator").boolean(h.coordinator).field("detail", h.detail).end_object();
  auto reply = answer_json(h.database ? 200 : 503, std::move(out));
  if (!h.database) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

http_answer http_metrics_text(http_desk& desk, const http_call&) {
  http_answer out;
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  out.body = prometheus::TextSerializer().Serialize(desk.registry->Collect());
  return out;
}

http_answer http_openapi(http_desk& desk, const http_call&) {
  http_answer out;
  out.body = desk.openapi;
  return out;
}

} // namespace taskmaster
