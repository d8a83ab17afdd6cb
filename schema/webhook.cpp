#include "schema/webhook.hpp"

#include <nlohmann/json.hpp>

namespace taskmaster {
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t url_bytes = 2'048;

/// No longer than so many characters.
std::string first(const std::string& text, std::size_t most) {
  std::size_t at = 0;
  for (std::size_t n = 0; at < text.size(); ++at)
    if ((static_cast<unsigned char>(text[at]) & 0xc0) != 0x80 && n++ == most) break;
  return text.substr(0, at);
}

/// As it is kept, so that no digit is lost; what is no JSON, as text.
std::string result_of(const task_record& r) {
  if (r.result.empty()) return "null";
  return json::accept(r.result) ? r.result : json(first(r.result, 65'536)).dump();
}

json time_or_null(const std::optional<timestamp>& t) { return t ? json(format_timestamp(*t)) : json(); }

/// The text that is signed.
std::string body_of(const task_record& r) {
  const auto text_or_null = [](const std::string& s) { return s.empty() ? json() : json(s); };
  json data = {{"id", r.task.id.str()},
               {"kind", r.task.kind},
               {"queue", r.task.queue},
               {"state", to_string(r.state)},
               {"reason", text_or_null(r.reason)},
               {"attempt", r.task.attempt},
               {"labels", r.labels},
               {"created_at", format_timestamp(r.task.created_at)},
               {"started_at", time_or_null(r.started_at)},
               {"finished_at", time_or_null(r.finished_at)}};
  if (r.labels.empty()) data["labels"] = json::object();
  auto failure = r.error ? json{{"code", first(r.error->code, 64)}, {"message", first(r.error->message, 16'384)}} : json();
  auto text = data.dump();
  text.pop_back();
  text += ",\"result\":" + result_of(r) + ",\"error\":" + failure.dump() + "}";
  return "{\"type\":\"task." + std::string(to_string(r.state)) + "\",\"timestamp\":" + time_or_null(r.finished_at).dump() + ",\"data\":" + text + "}";
}

} // namespace

std::optional<std::string> webhook_url_fault(std::string_view url) {
  if (url.size() > url_bytes) return "is " + std::to_string(url.size()) + " bytes long; the limit is " + std::to_string(url_bytes);
  for (const unsigned char c : url)
    if (c <= 0x20 || c >= 0x7f) return "contains a space, a control character or one outside ASCII: percent-encode it";
  const auto scheme = url.starts_with("https://") ? 8u : url.starts_with("http://") ? 7u : 0u;
  if (scheme == 0) return "has to start with https:// or http://";
  const auto authority = url.substr(scheme, std::min(url.find_first_of("/?#", scheme), url.size()) - scheme);
  if (authority.empty() || authority.starts_with(':')) return "names no host";
  if (authority.find('@') != authority.npos) return "contains a user name, which everybody who reads the task would see";
  return {};
}

task webhook_task(const task_record& ended, const uuid& id) {
  task t;
  t.id = id;
  t.kind = webhook_kind;
  t.queue = webhook_queue;
  t.timeout = std::chrono::seconds(30);
  t.max_attempts = 20; // over about half a day
  t.retry = {std::chrono::seconds(5), 2.5, std::chrono::hours(1), 0.2};
  t.payload = std::make_shared<const std::string>(json{{"url", options_of(ended.task.options).webhook}, {"body", body_of(ended)}}.dump());
  return t;
}

std::map<std::string, std::string> webhook_labels(const task_record& ended) { return {{"task", ended.task.id.str()}}; }

} // namespace taskmaster
