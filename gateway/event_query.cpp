#include "gateway/event_query.hpp"

#include "gateway/json_view.hpp"

namespace taskmaster {
namespace {

constexpr std::size_t tasks_most = 1'000; // ids in one filter

} // namespace

void event_query::queue(const std::string& field, const std::string& name) {
  if (!valid_name(name)) fault(field, "has to match [a-z0-9_.-]{1,64}");
  else wanted.filter.queues.insert(name);
}

void event_query::kind(const std::string& field, const std::string& name) {
  if (!valid_name(name)) fault(field, "has to match [a-z0-9_.-]{1,64}");
  else wanted.filter.kinds.insert(name);
}

void event_query::state(const std::string& field, const std::string& name) {
  if (const auto s = parse_state(name)) wanted.filter.states.insert(*s);
  else fault(field, "has to be scheduled, ready, running, succeeded, failed, cancelled or expired");
}

void event_query::task(const std::string& field, const std::string& id) {
  if (const auto u = uuid::parse(id)) wanted.filter.tasks.insert(*u);
  else return fault(field, "has to be a UUID of 36 characters");
  if (wanted.filter.tasks.size() != tasks_most + 1) return;
  over_ = true;
  fault(field, "is there more than " + std::to_string(tasks_most) + " times, which is the limit; filter by queue or label instead");
}

void event_query::label(const std::string& field, const std::string& key, const std::string& value) {
  if (key.empty() || key.size() > limits::label_key || value.size() > limits::label_value)
    fault(field, "has to be a key of 1 to " + std::to_string(limits::label_key) + " bytes and a value of at most "
                     + std::to_string(limits::label_value) + ", such as team=mail");
  else if (!wanted.filter.labels.emplace(key, value).second) fault(field, "names the same key twice");
  else if (wanted.filter.labels.size() > limits::labels) fault(field, "is there more than " + std::to_string(limits::labels) + " times, which is the limit");
}

void event_query::after(const std::string& field, const std::string& id) {
  wanted.after = parse_event_id(id);
  if (!wanted.after) fault(field, "is no id of an event; they look like 1764000000000-17");
}

expected<event_request> event_query::take() {
  if (faults_.empty()) return std::move(wanted);
  const auto code = over_ && faults_.size() == 1 ? ec::unprocessable : ec::invalid_argument;
  return error(code, "Events cannot be asked for in this way; `errors` says why.", std::move(faults_));
}

expected<event_request> read_event_query(const query_parameters& query, const std::string& last_event_id) {
  event_query q;
  for (const auto& [name, value] : query) {
    const auto field = "/" + pointer_token(name);
    if (name == "queue") q.queue(field, value);
    else if (name == "kind") q.kind(field, value);
    else if (name == "state") q.state(field, value);
    else if (name == "task_id") q.task(field, value);
    else if (name == "label" && value.find('=') == std::string::npos) q.fault(field, "has to be a key and a value, such as label=team%3Dmail");
    else if (name == "label") q.label(field, value.substr(0, value.find('=')), value.substr(value.find('=') + 1));
    else q.fault(field, "is no parameter of this stream; these are queue, kind, state, label and task_id");
  }
  if (!last_event_id.empty()) q.after("/Last-Event-ID", last_event_id);
  return q.take();
}

} // namespace taskmaster
