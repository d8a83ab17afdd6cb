#include "schema/task_options.hpp"

#include <nlohmann/json.hpp>

namespace taskmaster {
namespace {

using nlohmann::json;

/// One name in both directions, so that writing and reading cannot part.
template <class Visitor>
void each_option(Visitor&& visit, auto& options) {
  visit("schedule", options.schedule);
  visit("scheduled_for", options.scheduled_for);
  visit("group", options.group);
  visit("ref", options.ref);
  visit("due", options.due);
  visit("delay", options.delay);
  visit("webhook", options.webhook);
}

json write(const std::string& text) { return text.empty() ? json() : json(text); }
json write(const std::optional<timestamp>& t) { return t ? json(format_timestamp(*t)) : json(); }
json write(const std::optional<duration>& d) { return d ? json(format_duration(*d)) : json(); }

bool read(const json& value, std::string& out) {
  if (!value.is_string()) return false;
  out = value.get<std::string>();
  return true;
}

bool read(const json& value, std::optional<timestamp>& out) {
  if (!value.is_string()) return false;
  const auto t = parse_timestamp(value.get_ref<const std::string&>());
  if (t) out = *t;
  return bool(t);
}

bool read(const json& value, std::optional<duration>& out) {
  if (!value.is_string()) return false;
  const auto d = parse_duration(value.get_ref<const std::string&>());
  if (d) out = *d;
  return bool(d);
}

} // namespace

shared_options share(const task_options& options) {
  return options == task_options{} ? nullptr : std::make_shared<const task_options>(options);
}

const task_options& options_of(const shared_options& options) {
  static const task_options none;
  return options ? *options : none;
}

std::string to_json(const task_options& options) {
  auto object = json::object();
  each_option(
      [&](const char* name, const auto& value) {
        if (auto v = write(value); !v.is_null()) object[name] = std::move(v);
      },
      options);
  return object.empty() ? std::string() : object.dump();
}

expected<task_options> parse_options(std::string_view text) {
  const auto object = json::parse(text, nullptr, false);
  if (!object.is_object()) return error{ec::internal, "the options of a task are no JSON object: " + std::string(text.substr(0, 80))};
  task_options options;
  std::string broken;
  each_option(
      [&](const char* name, auto& value) {
        if (const auto at = object.find(name); at != object.end() && !read(*at, value)) broken = name;
      },
      options);
  if (!broken.empty()) return error{ec::internal, "the option '" + broken + "' of a task has a value of another type"};
  return options;
}

} // namespace taskmaster
