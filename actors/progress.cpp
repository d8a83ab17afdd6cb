#include "actors/progress.hpp"

#include <nlohmann/json.hpp>

namespace taskmaster {
namespace {

using nlohmann::json;

error bad(std::string message) { return {ec::invalid_argument, std::move(message)}; }

expected<std::string> write(const json& percent, const json& message) {
  if (!percent.is_null() && (!percent.is_number() || !(percent.get<double>() >= 0 && percent.get<double>() <= 100)))
    return bad("percent has to be a number from 0 to 100");
  if (!message.is_null() && !message.is_string()) return bad("message has to be a string");
  if (message.is_string() && message.get_ref<const std::string&>().size() > limits::progress_message)
    return bad("message is " + std::to_string(message.get_ref<const std::string&>().size()) + " bytes long; the limit is " +
               std::to_string(limits::progress_message));
  if (message.is_string() && !storable_text(message.get_ref<const std::string&>())) return bad("message has to be UTF-8 text without NUL");
  return json{{"percent", percent}, {"message", message}}.dump();
}

json member(const json& object, const char* name) {
  const auto at = object.find(name);
  return at == object.end() ? json() : *at;
}

expected<progress_line> read_object(std::string_view line) {
  const auto object = json::parse(line, nullptr, false);
  if (!object.is_object()) return bad("a line that begins with { has to be a JSON object");
  progress_line out;
  for (const auto& [name, value] : object.items())
    if (name != "percent" && name != "message" && name != "checkpoint" && name != "retry_after")
      return bad("'" + name.substr(0, 80) + "' is unknown; there are percent, message, checkpoint and retry_after");
  if (object.contains("percent") || object.contains("message")) {
    auto progress = write(member(object, "percent"), member(object, "message"));
    if (!progress) return progress.failure();
    out.said.progress = std::move(*progress);
  }
  if (const auto at = object.find("checkpoint"); at != object.end()) {
    auto text = at->dump();
    if (auto fault = judge_checkpoint(text)) return std::move(*fault);
    out.said.checkpoint = std::make_shared<const std::string>(std::move(text));
  }
  if (const auto at = object.find("retry_after"); at != object.end()) {
    const auto d = at->is_string() ? parse_duration(at->get_ref<const std::string&>())
                                   : expected<duration>(bad("has to be a duration such as \"10m\""));
    if (!d) return bad("retry_after: " + d.failure().message);
    if (*d > limits::horizon) return bad("retry_after is " + format_duration(*d) + "; the limit is 10 years");
    out.retry_after = *d;
  }
  return out;
}

} // namespace

expected<progress_line> read_progress_line(std::string_view line) {
  const auto begin = line.find_first_not_of(" \t\r");
  if (begin == line.npos) return progress_line{};
  line = line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
  if (line.front() == '{') return read_object(line);
  const std::string word(line.substr(0, std::min(line.find_first_of(" \t"), line.size())));
  const auto percent = json::parse(word, nullptr, false);
  const bool number = percent.is_number();
  auto text = number ? line.substr(word.size()) : line;
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  progress_line out;
  auto progress = write(number ? percent : json(), text.empty() ? json() : json(std::string(text)));
  if (!progress) return progress.failure();
  out.said.progress = std::move(*progress);
  return out;
}

expected<std::string> read_progress(std::string_view text) {
  const auto object = json::parse(text, nullptr, false);
  if (!object.is_object()) return bad("progress has to be a JSON object of percent and message");
  for (const auto& [name, value] : object.items())
    if (name != "percent" && name != "message") return bad("progress knows no '" + name.substr(0, 80) + "'; it has percent and message");
  return write(member(object, "percent"), member(object, "message"));
}

std::optional<error> judge_checkpoint(std::string_view text) {
  if (text.size() > limits::checkpoint_bytes)
    return error{ec::too_large, "the checkpoint is " + std::to_string(text.size()) + " bytes long; the limit is " +
                                    std::to_string(limits::checkpoint_bytes) + " (64 KiB), the one before is kept"};
  if (!storable_text(text) || !json::accept(text)) return bad("the checkpoint is no JSON");
  return std::nullopt;
}

} // namespace taskmaster
