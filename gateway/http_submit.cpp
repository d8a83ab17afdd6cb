// POST /v1/tasks and /v1/tasks/batch.
#include "gateway/await.hpp"
#include "gateway/http_tasks.hpp"
#include "gateway/json_door.hpp"
#include "gateway/problem.hpp"
#include "gateway/task_json.hpp"
#include "gateway/utf8.hpp"
#include "schema/graph.hpp"

namespace taskmaster {
namespace {

submit_answer submit(http_desk& desk, std::vector<task_spec> specs) {
  return await_answer<submit_answer>(desk.deadline, [&](auto then) {
    desk.scheduler.submit(submit_request{std::move(specs)}, desk.deadline, std::move(then));
  });
}

/// Puts the header's key into the spec. The header and the field of that name have to agree.
std::optional<error> take_key(const http_call& call, task_spec& spec) {
  if (call.idempotency_keys.empty()) return std::nullopt;
  const auto& key = call.idempotency_keys.front();
  const auto fault = [](const char* why) {
    return error(ec::invalid_argument, std::string("The header Idempotency-Key ") + why, {{"/idempotency_key", why}});
  };
  if (call.idempotency_keys.size() > 1) return fault("is there more than once; send one.");
  if (key.empty()) return fault("is empty; leave it out or give it a value of your own making.");
  if (!valid_utf8(key)) return fault("holds bytes that are no UTF-8.");
  if (!spec.idempotency_key.empty() && spec.idempotency_key != key) return fault("differs from the field idempotency_key; give one of them.");
  spec.idempotency_key = key;
  return std::nullopt;
}

} // namespace

http_answer http_submit(http_desk& desk, const http_call& call) {
  auto json = open_json(call.body);
  if (!json) return refuse(json.failure());
  const auto now = desk.now();
  auto spec = read_task(*json, now);
  if (!spec) return refuse(spec.failure());
  if (auto fault = take_key(call, *spec)) return refuse(*fault);
  if (!call.idempotency_keys.empty())
    if (auto fault = validate(*spec, now)) return refuse(*fault); // the key's length

  const auto labels = spec->labels;
  std::vector<task_spec> specs{std::move(*spec)};
  std::vector<std::optional<error>> refused(1);
  arrange(specs, refused);
  if (refused[0]) return refuse(*refused[0]);
  auto answer = submit(desk, std::move(specs));
  if (!answer) return refuse(answer.failure());
  if (answer->size() != 1) return refuse(error(ec::internal, "the scheduler answered one task with " + std::to_string(answer->size()) + " rows"));
  auto& row = answer->front();
  if (row.refused) return refuse(*row.refused);

  task_record record = record_of(row.task, labels);
  if (row.repeated || waits(row.task)) {
    // Of a known key only the first task's id is certain: ask what became of it; and what a new one waits for.
    auto first = await_answer<find_answer>(desk.deadline, [&](auto then) { desk.scheduler.find(row.task.id, desk.deadline, std::move(then)); });
    if (!first) return refuse(first.failure());
    record = std::move(*first);
  }
  json_writer out;
  write_task(out, record);
  auto reply = answer_json(row.repeated ? 200 : 201, std::move(out));
  reply.headers.emplace_back("Location", "/v1/tasks/" + record.task.id.str());
  return reply;
}

http_answer http_submit_batch(http_desk& desk, const http_call& call) {
  if (!call.idempotency_keys.empty())
    return refuse(error(ec::invalid_argument, "The header Idempotency-Key names one task, not a batch; give each row its own field idempotency_key."));
  auto json = open_json(call.body);
  if (!json) return refuse(json.failure());
  std::vector<field_fault> faults;
  std::optional<json_view> tasks;
  if (json->what() != json_view::type::object) faults.push_back({"", "has to be an object, {\"tasks\": [...]}; this is " + std::string(json->what_text())});
  for (const auto& [name, value] : json->members()) {
    if (name != "tasks")
      faults.push_back({"/" + pointer_token(name), "is no field of a batch; it has one, tasks"});
    else if (value.what() != json_view::type::array)
      faults.push_back({"/tasks", "has to be an array; this is " + std::string(value.what_text())});
    else
      tasks = value;
  }
  if (faults.empty() && !tasks) faults.push_back({"/tasks", "is missing"});
  if (!faults.empty()) return refuse(error(ec::invalid_argument, "A batch is {\"tasks\": [...]}, each a task.", std::move(faults)));

  const auto rows = tasks->elements();
  if (rows.size() > limits::batch)
    return refuse(error(ec::too_large, "The batch has " + std::to_string(rows.size()) + " tasks; the limit is " + std::to_string(limits::batch) +
                                           ". Send it in parts."));
  // Rows are independent: the good ones go on, and each bad one gets the problem it would get alone.
  const auto now = desk.now();
  std::vector<std::optional<error>> refused(rows.size());
  std::vector<task_spec> read(rows.size()), specs;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (auto spec = read_task(rows[i], now, &read[i]))
      read[i] = std::move(*spec);
    else
      refused[i] = std::move(spec.failure());
  }
  arrange(read, refused); // rows that wait for each other are taken or refused together
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!refused[i]) specs.push_back(std::move(read[i]));
  std::vector<inserted> stored;
  if (!specs.empty()) {
    const auto sent = specs.size();
    auto answer = submit(desk, std::move(specs));
    if (!answer) return refuse(answer.failure());
    if (answer->size() != sent) return refuse(error(ec::internal, "the scheduler answered a batch with another number of rows"));
    stored = std::move(*answer);
  }
  json_writer out;
  out.begin_object().key("results").begin_array();
  auto next = stored.begin();
  for (const auto& fault : refused) {
    const auto* problem = fault ? &*fault : nullptr;
    uuid id;
    if (!problem) {
      id = next->task.id;
      if (next->refused) problem = &*next->refused;
      ++next;
    }
    out.begin_object();
    if (problem) {
      out.key("error");
      write_problem(out, *problem);
    } else {
      out.field("id", id.str());
    }
    out.end_object();
  }
  out.end_array().end_object();
  return answer_json(200, std::move(out));
}

} // namespace taskmaster
