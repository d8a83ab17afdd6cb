#include "cluster/client_answers.hpp"

#include "cluster/client_commands.hpp"
#include "cluster/table_output.hpp"

namespace taskmaster {

namespace {

/// Output of commands and messages keep their lines, but nothing that could write elsewhere on a terminal.
std::string indented(const std::string& text) {
  std::string out = "  ";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      out += "\n  ";
    else if (c == '\t' || (byte >= 0x20 && byte != 0x7F))
      out += c;
  }
  out.erase(out.find_last_not_of(" \n") + 1);
  return out;
}

void ensure_line_end(std::ostream& out, const std::string& text) {
  out << text;
  if (!text.empty() && text.back() != '\n') out << '\n';
}

} // namespace

std::string problem_text(const answer_json& problem) {
  auto text = text_of(problem, "detail");
  if (text.empty()) text = text_of(problem, "title");
  if (const auto faults = problem.find("errors"); faults != problem.end() && faults->is_array()) {
    for (const auto& fault : *faults) {
      const auto field = text_of(fault, "field");
      text += "\n  " + (field.empty() ? "" : field + ": ") + text_of(fault, "detail");
    }
  }
  return text;
}

int report_failure(const http_client& client, const service_answer& answer, std::ostream& err) {
  if (!answer.reached()) {
    err << "taskmaster: no answer from " << client.where() << ": " << answer.fault << '\n';
    return exit_codes::unreachable;
  }
  const auto problem = answer_json::parse(answer.body, nullptr, false);
  const auto text = problem.is_object() ? problem_text(problem) : std::string();
  err << "taskmaster: " << (text.empty() ? client.where() + " answered " + std::to_string(answer.status) + " without a reason; is it a TaskMaster?" : text) << '\n';
  return exit_codes::failed;
}

std::optional<answer_json> read_answer(const http_client& client, const service_answer& answer, std::ostream& err) {
  auto json = answer_json::parse(answer.body, nullptr, false);
  if (json.is_object()) return json;
  err << "taskmaster: " << client.where() << " answered something that is no JSON object; is it a TaskMaster?\n";
  return std::nullopt;
}

void print_json(std::ostream& out, const answer_json& json) {
  out << json.dump(2, ' ', false, answer_json::error_handler_t::replace) << '\n';
}

std::string text_of(const answer_json& object, const char* name) {
  if (!object.is_object()) return "";
  const auto at = object.find(name);
  return at == object.end() ? "" : shown(*at);
}

std::string shown(const answer_json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, answer_json::error_handler_t::replace);
}

std::optional<timestamp> time_of(const answer_json& object, const char* name) {
  const auto text = text_of(object, name);
  if (text.empty()) return std::nullopt;
  const auto time = parse_timestamp(text);
  return time ? std::optional(*time) : std::nullopt;
}

bool finished_state(const std::string& state) {
  return state == "succeeded" || state == "failed" || state == "cancelled" || state == "expired";
}

std::string when_text(const answer_json& task, timestamp now) {
  const auto state = text_of(task, "state");
  if (finished_state(state)) {
    const auto end = time_of(task, "finished_at");
    return end ? short_length(now - *end) + " ago" : "";
  }
  if (state == "running") {
    auto start = time_of(task, "started_at");
    if (!start) start = time_of(task, "picked_at");
    return start ? "runs " + short_length(now - *start) : "runs";
  }
  auto due = time_of(task, "next_attempt_at");
  if (!due) due = time_of(task, "run_at");
  if (!due) return "";
  return *due > now ? "due in " + short_length(*due - now) : "waits " + short_length(now - *due);
}

std::string took_text(const answer_json& object, const char* from, const char* to) {
  const auto begin = time_of(object, from), end = time_of(object, to);
  return begin && end ? short_length(*end - *begin) : "";
}

void print_task(std::ostream& out, const answer_json& task, timestamp now) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [name, value] : task.items()) {
    if (name == "result" || name == "error" || value.is_null() || (value.is_string() && value.empty()) ||
        (value.is_object() && value.empty()))
      continue;
    auto text = one_line(shown(value), 200);
    if (name == "state")
      if (const auto when = when_text(task, now); !when.empty()) text += " (" + when + ")";
    if (name == "finished_at")
      if (const auto took = took_text(task, "started_at", "finished_at"); !took.empty()) text += " (took " + took + ")";
    fields.emplace_back(name, std::move(text));
  }
  if (const auto error = task.find("error"); error != task.end() && error->is_object())
    fields.emplace_back("error", one_line(text_of(*error, "code") + ": " + text_of(*error, "message"), 400));
  const auto result = task.find("result");
  if (result == task.end() || result->is_null()) return print_fields(out, fields);
  if (!result->is_object()) {
    fields.emplace_back("result", one_line(shown(*result), 400));
    return print_fields(out, fields);
  }
  std::string texts;
  for (const auto& [name, value] : result->items()) {
    const auto text = shown(value);
    if (text.empty()) continue;
    if (value.is_string() && (text.find('\n') != std::string::npos || text.size() > 100))
      texts += "result." + name + "\n" + indented(text) + "\n";
    else
      fields.emplace_back("result." + name, one_line(text, 400));
  }
  print_fields(out, fields);
  out << texts;
}

int print_outcome(std::ostream& out, std::ostream& err, const answer_json& task) {
  if (const auto result = task.find("result"); result != task.end() && !result->is_null()) {
    if (result->is_object() && (result->contains("output") || result->contains("error_output"))) {
      ensure_line_end(out, text_of(*result, "output"));
      out.flush();
      ensure_line_end(err, text_of(*result, "error_output"));
    } else {
      print_json(out, *result);
    }
  }
  const auto state = text_of(task, "state");
  if (state == "succeeded") return exit_codes::done;
  const auto reason = text_of(task, "reason");
  err << "taskmaster: task " << text_of(task, "id") << " " << state << (reason.empty() ? "" : " (" + reason + ")");
  if (const auto error = task.find("error"); error != task.end() && error->is_object())
    err << ": " << one_line(text_of(*error, "code") + ": " + text_of(*error, "message"), 400);
  err << '\n';
  return exit_codes::failed;
}

} // namespace taskmaster
