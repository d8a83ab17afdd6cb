#include "gateway/after_json.hpp"

namespace taskmaster {
namespace {

awaited read_entry(const std::string& at, const json_view& value, std::vector<field_fault>& faults) {
  awaited out;
  if (auto task = value.string()) {
    out.task = std::move(*task);
    if (out.task.empty()) faults.push_back({at, "is empty; name a task by its id, or a row of the batch by its ref"});
    return out;
  }
  if (value.what() != json_view::type::object) {
    faults.push_back({at, "has to be an id or a ref as a string, or an object of ref or group, on and else; this is " + std::string(value.what_text())});
    return out;
  }
  bool named = false;
  for (const auto& [name, v] : value.members()) {
    const auto field = at + "/" + pointer_token(name);
    const auto text = v.string();
    if (name != "ref" && name != "group" && name != "on" && name != "else") {
      faults.push_back({field, "is no part of it; these are ref, group, on and else"});
    } else if (v.null()) {
      continue;
    } else if (!text) {
      faults.push_back({field, "has to be a string; this is " + std::string(v.what_text())});
    } else if (name == "ref" || name == "group") {
      named = true;
      (name == "ref" ? out.task : out.group) = *text;
      if (text->empty()) faults.push_back({field, "is empty"});
    } else if (name == "on") {
      if (const auto on = parse_awaited_end(*text)) out.on = *on;
      else faults.push_back({field, "has to be \"succeeded\" or \"finished\""});
    } else if (const auto otherwise = parse_otherwise(*text)) {
      out.otherwise = *otherwise;
    } else {
      faults.push_back({field, "has to be \"cancel\", \"fail\" or \"run\""});
    }
  }
  if (!named) faults.push_back({at, "has to name one of ref (a ref or an id) and group"});
  return out;
}

} // namespace

std::vector<awaited> read_after(const std::string& at, const json_view& value, std::vector<field_fault>& faults) {
  std::vector<awaited> out;
  if (value.what() != json_view::type::array) {
    faults.push_back({at, "has to be an array of what the task waits for; this is " + std::string(value.what_text())});
    return out;
  }
  for (const auto& entry : value.elements()) {
    out.push_back(read_entry(at + "/" + std::to_string(out.size()), entry, faults));
    if (faults.size() > 100) break; // enough to see what is wrong
  }
  return out;
}

void write_after(json_writer& out, const task_record& record) {
  out.key("waits_for").integer(record.waits_for).key("after");
  if (record.waits_for && record.after.empty()) {
    out.null();
    return;
  }
  out.begin_array();
  for (const auto& e : record.after)
    out.begin_object().field("ref", e.parent.str()).field("on", to_string(e.on)).field("else", to_string(e.otherwise)).end_object();
  out.end_array();
}

} // namespace taskmaster
