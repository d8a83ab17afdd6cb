#include "gateway/bulk_json.hpp"

#include "gateway/json_door.hpp"
#include "gateway/json_view.hpp"

namespace taskmaster {
namespace {

void read_label(const std::string& text, bulk_request& out, std::vector<field_fault>& faults) {
  const auto sign = text.find('=');
  if (sign == std::string::npos || sign == 0) faults.push_back({"/filter/label", "has to be key=value, such as \"order=17\""});
  else out.filter.labels[text.substr(0, sign)] = text.substr(sign + 1);
}

void read_one(const std::string& name, const json_view& value, bulk_request& out, std::vector<field_fault>& faults) {
  const auto at = "/filter/" + pointer_token(name);
  const auto text = value.string();
  if (name == "label") {
    if (text) return read_label(*text, out, faults);
    if (value.what() != json_view::type::array) return faults.push_back({at, "has to be \"key=value\" or a list of them"});
    for (const auto& one : value.elements()) {
      if (const auto label = one.string()) read_label(*label, out, faults);
      else faults.push_back({at, "has to hold texts like \"key=value\""});
    }
    return;
  }
  if (name != "queue" && name != "kind" && name != "state" && name != "reason" && name != "group")
    return faults.push_back({at, "is no part of a filter; these are queue, kind, group, state, reason and label"});
  if (!text) return faults.push_back({at, "has to be a string; this is " + std::string(value.what_text())});
  if (name == "state") {
    out.filter.state = parse_state(*text);
    if (!out.filter.state) faults.push_back({at, "is none of scheduled, ready, running, succeeded, failed, cancelled and expired"});
  } else if (name == "group") {
    if (!valid_ref(*text)) faults.push_back({at, "has to be 1 to 64 characters out of letters, digits and '_', '.', ':', '/', '-'"});
    out.filter.group = *text;
  } else {
    if (!valid_name(*text)) faults.push_back({at, "has to be 1 to 64 characters out of a-z, 0-9, '_', '.' and '-'"});
    (name == "queue" ? out.filter.queue : name == "kind" ? out.filter.kind : out.filter.reason) = *text;
  }
}

void read_rate(const json_view& value, bulk_request& out, std::vector<field_fault>& faults) {
  if (value.null()) return;
  if (value.what() != json_view::type::object) return faults.push_back({"/rate", "has to be an object such as {\"limit\": 10, \"period\": \"1s\"}"});
  rate_limit rate;
  rate.limit = 0;
  for (const auto& [name, v] : value.members()) {
    if (name == "limit" && v.integer()) {
      rate.limit = *v.integer();
    } else if (name == "period" && v.string()) {
      const auto d = parse_duration(*v.string());
      if (d) rate.period = *d;
      else faults.push_back({"/rate/period", d.failure().message});
    } else {
      faults.push_back({"/rate/" + pointer_token(name), name == "limit"    ? "has to be a whole number"
                                                        : name == "period" ? "has to be a duration as a string, such as \"1s\""
                                                                           : "is no field of this rate; these are limit and period"});
    }
  }
  out.rate = rate;
}

} // namespace

expected<bulk_request> read_bulk(bulk_request::verb what, std::string_view body) {
  const auto json = open_json(body);
  if (!json) return json.failure();
  if (json->what() != json_view::type::object)
    return error(ec::invalid_argument, "The body is a JSON object, such as {\"filter\": {\"queue\": \"mail\"}, \"dry_run\": true}.", {{"", "has to be an object"}});
  bulk_request out;
  out.what = what;
  std::vector<field_fault> faults;
  for (const auto& [name, value] : json->members()) {
    if (name == "filter") {
      if (value.what() != json_view::type::object) faults.push_back({"/filter", "has to be an object"});
      for (const auto& [part, v] : value.members()) read_one(part, v, out, faults);
    } else if (name == "dry_run") {
      if (const auto b = value.boolean()) out.dry_run = *b;
      else faults.push_back({"/dry_run", "has to be true or false"});
    } else if (name == "rate") {
      read_rate(value, out, faults);
    } else {
      faults.push_back({"/" + pointer_token(name), "is unknown; the body has filter, dry_run and rate"});
    }
  }
  if (!faults.empty()) return error(ec::invalid_argument, "The bulk request cannot be read; `errors` names the fields. Nothing was changed.", std::move(faults));
  if (auto e = judge_bulk(out)) return std::move(*e);
  return out;
}

std::optional<error> judge_bulk(const bulk_request& request) {
  const auto refuse = [](const std::string& field, const std::string& why) {
    return error(ec::unprocessable, "The bulk request is refused and nothing was changed: " + field.substr(1) + " " + why + ".", {{field, why}});
  };
  const auto& f = request.filter;
  if (f.queue.empty() && f.kind.empty() && f.group.empty() && !f.state && f.reason.empty() && f.labels.empty())
    return refuse("/filter", "is empty and would match every task; name a queue, kind, group, state, reason or label");
  const bool cancel = request.what == bulk_request::verb::cancel;
  if (request.rate) {
    const auto& r = *request.rate;
    if (cancel) return refuse("/rate", "goes with a retry only");
    if (r.limit < 1 || r.limit > limits::rate) return refuse("/rate/limit", "is " + std::to_string(r.limit) + "; it has to be 1 to " + std::to_string(limits::rate));
    if (r.period < limits::rate_period_least || r.period > limits::rate_period)
      return refuse("/rate/period", "is " + format_duration(r.period) + "; it has to be " + format_duration(limits::rate_period_least) + " to " +
                                        format_duration(limits::rate_period));
  }
  if (f.state && finished(*f.state) == cancel)
    return refuse("/filter/state", cancel ? "has to be scheduled, ready or running: finished tasks cannot be cancelled"
                                          : "has to be failed, cancelled, expired or succeeded: only finished tasks are run again");
  return {};
}

} // namespace taskmaster
