#include "schema/task_options.hpp"

#include <nlohmann/json.hpp>

namespace taskmaster {
namespace {

using nlohmann::json;

/// One name in both directions, so that writing and reading cannot part.
template <class Visitor>
void each_option(Visitor&& visit, auto& options) {
  visit("heartbeat_timeout", options.heartbeat_timeout);
  visit("unique_scope", options.scope);
  visit("unique_policy", options.policy);
  visit("unique_period", options.unique_period);
  visit("unique_key", options.period_key);
  visit("schedule", options.schedule);
  visit("scheduled_for", options.scheduled_for);
  visit("group", options.group);
  visit("ref", options.ref);
  visit("due", options.due);
  visit("delay", options.delay);
  visit("webhook", options.webhook);
}

json write(const std::string& text) { return text.empty() ? json() : json(text); }
json write(duration d) { return d == duration{0} ? json() : json(format_duration(d)); }
json write(unique_scope s) { return s == unique_scope{} ? json() : json(std::string(to_string(s))); }
json write(unique_policy p) { return p == unique_policy{} ? json() : json(std::string(to_string(p))); }
json write(const std::optional<timestamp>& t) { return t ? json(format_timestamp(*t)) : json(); }
json write(const std::optional<duration>& d) { return d ? json(format_duration(*d)) : json(); }

bool read(const json& value, std::string& out) {
  if (!value.is_string()) return false;
  out = value.get<std::string>();
  return true;
}

bool read(const json& value, duration& out) {
  if (!value.is_string()) return false;
  const auto d = parse_duration(value.get_ref<const std::string&>());
  if (d) out = *d;
  return bool(d);
}

bool read(const json& value, unique_scope& out) {
  const auto s = value.is_string() ? parse_unique_scope(value.get_ref<const std::string&>()) : std::nullopt;
  out = s.value_or(out);
  return s.has_value();
}

bool read(const json& value, unique_policy& out) {
  const auto p = value.is_string() ? parse_unique_policy(value.get_ref<const std::string&>()) : std::nullopt;
  out = p.value_or(out);
  return p.has_value();
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

constexpr std::string_view scopes[] = {"until_finished", "while_waiting", "for_period"};
constexpr std::string_view policies[] = {"return_first", "replace", "refuse"};

template <class Enum, std::size_t N>
std::optional<Enum> find(const std::string_view (&names)[N], std::string_view text) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == text) return static_cast<Enum>(i);
  return std::nullopt;
}

} // namespace

std::string_view to_string(unique_scope s) { return scopes[static_cast<std::size_t>(s)]; }
std::string_view to_string(unique_policy p) { return policies[static_cast<std::size_t>(p)]; }
std::optional<unique_scope> parse_unique_scope(std::string_view text) { return find<unique_scope>(scopes, text); }
std::optional<unique_policy> parse_unique_policy(std::string_view text) { return find<unique_policy>(policies, text); }

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
