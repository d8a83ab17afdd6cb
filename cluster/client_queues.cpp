#include "cluster/client_queues.hpp"

#include "cluster/client_commands.hpp"
#include "cluster/percent_encode.hpp"
#include "cluster/table_output.hpp"

#include <charconv>

namespace taskmaster {
namespace {

/// "5/1s" or "100/1m/20": how many, in which time, how many may wait. Nothing: it is none of these.
std::optional<answer_json> rate_of(const std::string& text) {
  const auto first = text.find('/');
  if (first == std::string::npos) return std::nullopt;
  const auto second = text.find('/', first + 1);
  const auto whole = [](std::string_view part) -> std::optional<std::int64_t> {
    std::int64_t n = 0;
    const auto [end, broken] = std::from_chars(part.data(), part.data() + part.size(), n);
    return broken == std::errc() && end == part.data() + part.size() ? std::optional(n) : std::nullopt;
  };
  const std::string_view view = text;
  const auto limit = whole(view.substr(0, first));
  if (!limit) return std::nullopt;
  answer_json rate = {{"limit", *limit}, {"period", text.substr(first + 1, second == std::string::npos ? second : second - first - 1)}};
  if (second == std::string::npos) return rate;
  const auto burst = whole(view.substr(second + 1));
  if (!burst) return std::nullopt;
  rate["burst"] = *burst;
  return rate;
}

std::string rate_text(const answer_json& queue, const char* name) {
  const auto at = queue.find(name);
  if (at == queue.end() || !at->is_object()) return "-";
  auto text = text_of(*at, "limit") + "/" + text_of(*at, "period");
  if (text_of(*at, "burst") != text_of(*at, "limit")) text += "/" + text_of(*at, "burst");
  return text;
}

std::string names_text(const answer_json& queue, const char* name) {
  std::string text;
  if (const auto at = queue.find(name); at != queue.end() && at->is_array())
    for (const auto& one : *at) text += (text.empty() ? "" : ",") + shown(one);
  return one_line(text);
}

std::string paused_text(const answer_json& queue) {
  if (text_of(queue, "paused") == "true") return "yes";
  const auto kinds = names_text(queue, "paused_kinds"), keys = names_text(queue, "paused_keys");
  std::string text = kinds.empty() ? "" : "kinds " + kinds;
  if (!keys.empty()) text += (text.empty() ? "keys " : "; keys ") + keys;
  return text.empty() ? "no" : text;
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

void print_queues(std::ostream& out, const answer_json& queues) {
  table rows({"QUEUE", "PAUSED", ">LIMIT", "RATE", ">PER KEY", "KEY RATE", ">WEIGHT", ">SCHEDULED", ">READY", ">RUNNING"});
  for (const auto& q : queues) {
    // Counting stops at a cap; then at least that many are there.
    const auto count = [&](const char* name) { return text_of(q, name) + (text_of(q, "capped") == "true" && text_of(q, name) == "10000" ? "+" : ""); };
    rows.add({text_of(q, "name"), paused_text(q), or_dash(text_of(q, "concurrency")), rate_text(q, "rate"), text_of(q, "key_concurrency"),
              rate_text(q, "key_rate"), text_of(q, "weight"), count("scheduled"), count("ready"), text_of(q, "running")});
  }
  rows.print(out);
}

/// The body of `queue set`; nothing, and a sentence on `err`, when a flag cannot be read.
std::optional<answer_json> body_of(const queue_options& o, std::ostream& err) {
  answer_json body = answer_json::object();
  const auto bad = [&](const char* flag, const char* want) {
    err << "taskmaster: --" << flag << " takes " << want << '\n';
    return std::nullopt;
  };
  for (const auto& [flag, name, value] : {std::tuple{"concurrency", "concurrency", &o.concurrency},
                                          std::tuple{"key-concurrency", "key_concurrency", &o.key_concurrency},
                                          std::tuple{"weight", "weight", &o.weight}}) {
    if (!*value) continue;
    if (**value == "none") {
      body[name] = nullptr;
      continue;
    }
    auto number = answer_json::parse(**value, nullptr, false);
    if (!number.is_number()) return bad(flag, "a number, or none");
    body[name] = number;
  }
  for (const auto& [flag, name, value] : {std::tuple{"rate", "rate", &o.rate}, std::tuple{"key-rate", "key_rate", &o.key_rate}}) {
    if (!*value) continue;
    if (**value == "none") {
      body[name] = nullptr;
      continue;
    }
    const auto rate = rate_of(**value);
    if (!rate) return bad(flag, "LIMIT/PERIOD or LIMIT/PERIOD/BURST, such as 5/1s or 100/1m/20, or none");
    body[name] = *rate;
  }
  return body;
}

} // namespace

int run_queue(http_client& client, const queue_options& o, bool json, std::ostream& out, std::ostream& err) {
  using verb = queue_options::verb;
  const auto path = "/v1/queues" + (o.what == verb::list ? std::string() : "/" + percent_encode(o.name));
  service_answer answer;
  if (o.what == verb::list || o.what == verb::get) {
    answer = client.get(path);
  } else if (o.what == verb::set) {
    const auto body = body_of(o, err);
    if (!body) return exit_codes::usage;
    answer = client.put(path, body->dump());
  } else {
    answer_json body = answer_json::object();
    if (!o.kind.empty()) body["kind"] = o.kind;
    if (!o.key.empty()) body["key"] = o.key;
    answer = client.post(path + (o.what == verb::pause ? "/pause" : "/resume"), body.dump(-1, ' ', false, answer_json::error_handler_t::replace));
  }
  if (!answer.good()) return report_failure(client, answer, err);
  const auto read = read_answer(client, answer, err);
  if (!read) return exit_codes::failed;
  if (json) print_json(out, *read);
  else if (o.what != verb::list) print_queues(out, answer_json::array({*read}));
  else if (const auto all = read->find("queues"); all != read->end() && all->is_array()) print_queues(out, *all);
  return exit_codes::done;
}

int run_explain(http_client& client, const std::string& id, bool json, std::ostream& out, std::ostream& err) {
  const auto answer = client.get("/v1/tasks/" + percent_encode(id) + "/explain");
  if (!answer.good()) return report_failure(client, answer, err);
  const auto read = read_answer(client, answer, err);
  if (!read) return exit_codes::failed;
  if (json) {
    print_json(out, *read);
    return exit_codes::done;
  }
  table rows({"REASON", "UNTIL", "DETAIL", "WAITS FOR"});
  if (const auto reasons = read->find("reasons"); reasons != read->end() && reasons->is_array())
    for (const auto& r : *reasons) {
      std::string ids;
      std::size_t more = 0;
      if (const auto all = r.find("waits_for"); all != r.end() && all->is_array())
        for (const auto& one : *all) ids.empty() ? void(ids = shown(one)) : void(++more);
      if (more) ids += " and " + std::to_string(more) + " more";
      rows.add({text_of(r, "code"), or_dash(text_of(r, "until")), one_line(text_of(r, "detail"), 120), ids});
    }
  rows.print(out);
  return exit_codes::done;
}

} // namespace taskmaster
