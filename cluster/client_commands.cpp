#include "cluster/client_commands.hpp"

#include "cluster/client_answers.hpp"
#include "cluster/client_ids.hpp"
#include "cluster/client_submit.hpp"
#include "cluster/client_wait.hpp"
#include "cluster/percent_encode.hpp"
#include "cluster/table_output.hpp"

namespace taskmaster {

namespace {

timestamp now() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

/// One command under way: the request, and where it reads and writes.
struct errand {
  http_client& client;
  const client_request& request;
  std::ostream& out;
  std::ostream& err;

  std::string task_path(const char* rest = "") const { return "/v1/tasks/" + percent_encode(request.id) + rest; }

  std::optional<answer_json> good_answer(const service_answer& answer, int& code) const {
    if (!answer.good()) {
      code = report_failure(client, answer, err);
      return std::nullopt;
    }
    auto json = read_answer(client, answer, err);
    if (!json) code = exit_codes::failed;
    return json;
  }
};

std::string names(const answer_json& object, const char* name) {
  std::string text;
  if (const auto at = object.find(name); at != object.end() && at->is_array())
    for (const auto& one : *at) text += (text.empty() ? "" : ",") + shown(one);
  return text;
}

const answer_json& array_of(const answer_json& object, const char* name) {
  static const answer_json none = answer_json::array();
  const auto at = object.find(name);
  return at != object.end() && at->is_array() ? *at : none;
}

int get(const errand& e) {
  int code = exit_codes::done;
  const auto task = e.good_answer(e.client.get(e.task_path()), code);
  if (!task) return code;
  if (e.request.json())
    print_json(e.out, *task);
  else
    print_task(e.out, *task, now());
  return code;
}

int wait(const errand& e) {
  std::optional<duration> limit;
  if (!e.request.timeout.empty()) {
    const auto parsed = parse_duration(e.request.timeout);
    if (!parsed) {
      e.err << "taskmaster: --timeout: " << parsed.failure().message << '\n';
      return exit_codes::usage;
    }
    limit = *parsed;
  }
  const auto waited = wait_for_task(e.client, e.request.id, limit, e.err);
  if (!waited.task) return waited.exit_code;
  if (e.request.json())
    print_json(e.out, *waited.task);
  else
    print_task(e.out, *waited.task, now());
  if (!waited.finished)
    e.err << "taskmaster: still " << text_of(*waited.task, "state") << " after " << e.request.timeout << '\n';
  return text_of(*waited.task, "state") == "succeeded" ? exit_codes::done : exit_codes::failed;
}

/// cancel and retry without an ID.
int bulk(const errand& e, const char* verb, const char* done) {
  const auto& o = e.request.bulk;
  const std::string usage = std::string("taskmaster: ") + verb + ": ";
  if (!e.request.id.empty() && (o.filtered() || o.dry_run || !o.rate.empty())) {
    e.err << usage << "give an ID or flags that say which tasks, not both\n";
    return exit_codes::usage;
  }
  if (!o.filtered()) {
    e.err << usage << "give an ID, or say which tasks by --queue, --kind, --state, --reason or --label\n";
    return exit_codes::usage;
  }
  answer_json filter;
  if (!o.queue.empty()) filter["queue"] = o.queue;
  if (!o.group.empty()) filter["group"] = o.group;
  if (!o.kind.empty()) filter["kind"] = o.kind;
  if (!o.state.empty()) filter["state"] = o.state;
  if (!o.reason.empty()) filter["reason"] = o.reason;
  if (!o.labels.empty()) filter["label"] = o.labels;
  answer_json body = {{"filter", filter}, {"dry_run", o.dry_run}};
  if (!o.rate.empty()) {
    const auto slash = o.rate.find('/');
    const auto limit = o.rate.substr(0, slash);
    if (limit.empty() || limit.size() > 9 || limit.find_first_not_of("0123456789") != limit.npos) {
      e.err << usage << "--rate is like 10/1s: so many become due in a period\n";
      return exit_codes::usage;
    }
    body["rate"] = {{"limit", std::stoi(limit)}};
    if (slash != o.rate.npos) body["rate"]["period"] = o.rate.substr(slash + 1);
  }
  int code = exit_codes::done;
  const auto json = e.good_answer(e.client.post(std::string("/v1/tasks/") + verb, body.dump(-1, ' ', false, answer_json::error_handler_t::replace), {},
                                                std::chrono::seconds(330)),
                                  code);
  if (!json) return code;
  if (e.request.json()) print_json(e.out, *json);
  else if (o.dry_run) e.out << text_of(*json, "matched") << " tasks match\n";
  else e.out << text_of(*json, "changed") << " of " << text_of(*json, "matched") << " tasks that matched " << done << '\n';
  return code;
}

int cancel(const errand& e) {
  if (e.request.id.empty() || e.request.bulk.filtered() || e.request.bulk.dry_run || !e.request.bulk.rate.empty()) return bulk(e, "cancel", "are cancelled or told to stop");
  int code = exit_codes::done;
  const auto answer = e.client.post(e.task_path("/cancel"), "{}");
  const auto json = e.good_answer(answer, code);
  if (!json) return code;
  if (e.request.json())
    print_json(e.out, *json);
  else
    e.out << (answer.status == 202 ? "cancel requested: it had been handed to a worker, which is told to stop it\n" : "cancelled\n");
  return code;
}

int retry(const errand& e) {
  if (e.request.id.empty() || e.request.bulk.filtered() || e.request.bulk.dry_run || !e.request.bulk.rate.empty()) return bulk(e, "retry", "wait again");
  int code = exit_codes::done;
  const auto json = e.good_answer(e.client.post(e.task_path("/retry"), "{}"), code);
  if (!json) return code;
  if (e.request.json())
    print_json(e.out, *json);
  else
    print_task(e.out, *json, now());
  return code;
}

int edit(const errand& e, std::istream& in) {
  const auto body = edit_body(e.request.submit, in);
  if (!body) {
    e.err << "taskmaster: edit: " << body.failure().message << '\n';
    return exit_codes::usage;
  }
  int code = exit_codes::done;
  const auto json = e.good_answer(e.client.patch(e.task_path(), *body), code);
  if (!json) return code;
  if (e.request.json())
    print_json(e.out, *json);
  else
    print_task(e.out, *json, now());
  return code;
}

int attempts(const errand& e) {
  int code = exit_codes::done;
  const auto json = e.good_answer(e.client.get(e.task_path("/attempts")), code);
  if (!json) return code;
  if (e.request.json()) {
    print_json(e.out, *json);
    return code;
  }
  table rows({">ATTEMPT", "OUTCOME", "REASON", "WORKER", "STARTED", ">TOOK", "ERROR"});
  const auto at = now();
  for (const auto& a : array_of(*json, "attempts")) {
    auto started = time_of(a, "started_at");
    if (!started) started = time_of(a, "picked_at");
    std::string fault;
    if (const auto error = a.find("error"); error != a.end() && error->is_object())
      fault = text_of(*error, "code") + ": " + text_of(*error, "message");
    rows.add({text_of(a, "attempt"), text_of(a, "outcome"), text_of(a, "reason"), one_line(text_of(a, "worker"), 32),
              started ? short_length(at - *started) + " ago" : "", took_text(a, "started_at", "finished_at"), one_line(fault, 80)});
  }
  rows.print(e.out);
  return code;
}

int queues(const errand& e) {
  int code = exit_codes::done;
  const auto json = e.good_answer(e.client.get("/v1/queues"), code);
  if (!json) return code;
  if (e.request.json()) {
    print_json(e.out, *json);
    return code;
  }
  table rows({"QUEUE", ">SCHEDULED", ">READY", ">RUNNING"});
  for (const auto& q : array_of(*json, "queues")) {
    // Counting stops at a cap; then at least that many are there.
    const auto count = [&](const char* name) { return text_of(q, name) + (text_of(q, "capped") == "true" && text_of(q, name) == "10000" ? "+" : ""); };
    rows.add({text_of(q, "name"), count("scheduled"), count("ready"), text_of(q, "running")});
  }
  rows.print(e.out);
  return code;
}

int workers(const errand& e) {
  int code = exit_codes::done;
  const auto json = e.good_answer(e.client.get("/v1/workers"), code);
  if (!json) return code;
  if (e.request.json()) {
    print_json(e.out, *json);
    return code;
  }
  table rows({"NAME", "STATE", ">SLOTS", ">HOLDS", "SINCE", "QUEUES", "KINDS", "ID"});
  const auto at = now();
  for (const auto& w : array_of(*json, "workers")) {
    const auto since = time_of(w, "connected_at");
    const auto queue_names = names(w, "queues");
    rows.add({one_line(text_of(w, "name"), 32), text_of(w, "state"), text_of(w, "slots"), std::to_string(array_of(w, "tasks").size()),
              since ? short_length(at - *since) : "", one_line(queue_names.empty() ? "all" : queue_names, 32),
              one_line(names(w, "kinds"), 48), text_of(w, "id")});
  }
  rows.print(e.out);
  return code;
}

std::string list_query(const list_options& o, const std::string& cursor) {
  std::string query = "/v1/tasks?limit=" + std::to_string(o.limit);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) query += std::string("&") + name + "=" + percent_encode(value);
  };
  add("queue", o.queue);
  add("group", o.group);
  add("kind", o.kind);
  add("state", o.state);
  add("reason", o.reason);
  for (const auto& label : o.labels) add("label", label);
  add("cursor", cursor);
  return query;
}

int list(const errand& e) {
  const auto& o = e.request.list;
  // Blanks make columns wide enough for what later pages bring.
  table rows({"ID                                  ", "STATE    ", "KIND  ", "QUEUE  ", ">PRIO", ">ATTEMPT", "WHEN         ", ">  TOOK",
              "WORKER  ", "REASON"});
  std::string cursor = o.cursor;
  bool opened = false, any = false;
  for (;;) {
    int code = exit_codes::done;
    const auto page = e.good_answer(e.client.get(list_query(o, cursor)), code);
    if (!page) return code;
    cursor = text_of(*page, "next_cursor");
    const bool last = !o.all || cursor.empty();
    if (e.request.json()) {
      // One document, written as the pages come, so that a million tasks need no memory here.
      if (!opened) e.out << "{\"tasks\": [";
      opened = true;
      for (const auto& task : array_of(*page, "tasks")) {
        e.out << (any ? ",\n" : "\n") << task.dump(-1, ' ', false, answer_json::error_handler_t::replace);
        any = true;
      }
      if (last) e.out << "\n], \"next_cursor\": " << (cursor.empty() ? "null" : answer_json(cursor).dump()) << "}\n";
    } else {
      const auto at = now();
      for (const auto& t : array_of(*page, "tasks"))
        rows.add({text_of(t, "id"), text_of(t, "state"), text_of(t, "kind"), text_of(t, "queue"), text_of(t, "priority"),
                  text_of(t, "attempt") + "/" + text_of(t, "max_attempts"), when_text(t, at), took_text(t, "started_at", "finished_at"),
                  one_line(text_of(t, "worker"), 32), text_of(t, "reason")});
      rows.print(e.out);
      if (last && !cursor.empty()) e.err << "taskmaster: there are more: --all, or --cursor " << cursor << '\n';
    }
    if (last) return code;
  }
}

} // namespace

int run_client_command(const client_request& request, std::istream& in, std::ostream& out, std::ostream& err) {
  http_client client(request.server);
  if (!client.valid()) {
    err << "taskmaster: --server has to be HOST:PORT (port 1 to 65535), http://HOST:PORT or https://HOST:PORT; it is \"" << request.server << "\"\n";
    return exit_codes::usage;
  }
  if (!request.id.empty() && !check_id(client, request.id, err)) return exit_codes::usage;
  const errand e{client, request, out, err};
  using command = client_request::command;
  switch (request.what) {
  case command::submit:
    return request.submit.batch_file ? run_submit_batch(client, request, in, out, err) : run_submit(client, request, in, out, err);
  case command::get: return get(e);
  case command::list: return list(e);
  case command::wait: return wait(e);
  case command::cancel: return cancel(e);
  case command::retry: return retry(e);
  case command::edit: return edit(e, in);
  case command::attempts: return attempts(e);
  case command::queues: return queues(e);
  case command::workers: return workers(e);
  case command::queue: return run_queue(client, request.queue, request.json(), out, err);
  case command::schedule: return run_schedule(client, request, in, out, err);
  case command::events: return run_events(client, request.events, request.json(), out, err);
  case command::explain: return run_explain(client, request.id, request.json(), out, err);
  case command::none: break;
  }
  err << "taskmaster: no command was named\n";
  return exit_codes::usage;
}

} // namespace taskmaster
