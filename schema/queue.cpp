#include "schema/queue.hpp"

#include "schema/task.hpp"

#include <algorithm>
#include <cmath>

namespace taskmaster {

namespace {

constexpr std::string_view settings_names[] = {"paused",   "concurrency", "rate",         "key_concurrency",
                                               "key_rate", "weight",      "paused_kinds", "paused_keys"};

/// Faults of form (400) and of rules (422), told together.
struct judge {
  std::vector<field_fault> faults;
  bool form = false;

  void bad_form(std::string field, std::string why) {
    faults.push_back({std::move(field), std::move(why)});
    form = true;
  }
  void bad_rule(std::string field, std::string why) { faults.push_back({std::move(field), std::move(why)}); }

  void count(const std::string& field, const std::optional<std::int64_t>& value, std::int64_t most,
             const char* none) {
    if (!value || (*value >= 1 && *value <= most)) return;
    bad_rule(field, "is " + std::to_string(*value) + "; it has to be 1 to " + std::to_string(most) + none);
  }

  void rate(const std::string& field, const std::optional<rate_limit>& value) {
    if (!value) return;
    count(field + "/limit", value->limit, limits::rate, "; to stop a queue altogether pause it");
    count(field + "/burst", value->burst, limits::rate, "");
    if (value->period < limits::rate_period_least || value->period > limits::rate_period)
      bad_rule(field + "/period", "is " + format_duration(std::max(value->period, duration{0})) + "; it has to be " +
                                      format_duration(limits::rate_period_least) + " to " +
                                      format_duration(limits::rate_period));
  }

  void kinds(const std::string& field, const std::set<std::string>& names) {
    for (const auto& name : names)
      if (!valid_name(name))
        return bad_form(field, "has a name that is no kind; a kind is 1 to 64 characters out of a-z, 0-9, '_', '.' and '-'");
    if (names.size() > limits::paused_parts)
      bad_rule(field, "has " + std::to_string(names.size()) + " kinds; the limit is " + std::to_string(limits::paused_parts));
  }

  void keys(const std::string& field, const std::set<std::string>& names) {
    for (const auto& name : names)
      if (name.empty() || name.size() > limits::key || !storable_text(name))
        return bad_form(field, "has a text that is no concurrency_key; a key is 1 to 256 bytes of UTF-8 without NUL");
    if (names.size() > limits::paused_parts)
      bad_rule(field, "has " + std::to_string(names.size()) + " keys; the limit is " + std::to_string(limits::paused_parts));
  }
};

} // namespace

bool is_queue_setting(std::string_view field) {
  return std::find(std::begin(settings_names), std::end(settings_names), field) != std::end(settings_names);
}

std::optional<error> validate(const queue_change& c) {
  judge j;
  if (!valid_name(c.name)) j.bad_form("/name", "has to be 1 to 64 characters out of a-z, 0-9, '_', '.' and '-'");
  for (const auto& field : c.reset)
    if (!is_queue_setting(field)) j.bad_form("/" + field, "is no setting of a queue");
  j.count("/concurrency", c.concurrency, limits::concurrency, "; to stop a queue pause it, for no limit give null");
  j.count("/key_concurrency", c.key_concurrency, limits::concurrency, "; null is the default, 1");
  j.rate("/rate", c.rate);
  j.rate("/key_rate", c.key_rate);
  if (c.weight && !(std::isfinite(*c.weight) && *c.weight >= limits::weight_least && *c.weight <= limits::weight))
    j.bad_rule("/weight", "has to be a number from 0.001 to 1000; 1 is the default");
  if (c.paused_kinds) j.kinds("/paused_kinds", *c.paused_kinds);
  if (c.paused_keys) j.keys("/paused_keys", *c.paused_keys);
  for (const auto* names : {&c.pause_kinds, &c.resume_kinds}) j.kinds("/kind", *names);
  for (const auto* names : {&c.pause_keys, &c.resume_keys}) j.keys("/key", *names);
  if (j.faults.empty()) return std::nullopt;
  const auto n = j.faults.size();
  return error{j.form ? ec::invalid_argument : ec::unprocessable,
               n == 1 ? "The queue's settings have a fault; `errors` names the field."
                      : "The queue's settings have " + std::to_string(n) + " faults; `errors` names the fields.",
               std::move(j.faults)};
}

expected<queue_settings> changed(queue_settings s, const queue_change& c) {
  const queue_settings plain;
  const auto reset = [&](const char* field, auto& value, const auto& standard) {
    if (c.reset.contains(field)) value = standard;
  };
  reset("paused", s.paused, plain.paused);
  reset("concurrency", s.concurrency, plain.concurrency);
  reset("rate", s.rate, plain.rate);
  reset("key_concurrency", s.key_concurrency, plain.key_concurrency);
  reset("key_rate", s.key_rate, plain.key_rate);
  reset("weight", s.weight, plain.weight);
  reset("paused_kinds", s.paused_kinds, plain.paused_kinds);
  reset("paused_keys", s.paused_keys, plain.paused_keys);
  s.name = c.name;
  if (c.paused) s.paused = *c.paused;
  if (c.concurrency) s.concurrency = c.concurrency;
  if (c.rate) s.rate = c.rate;
  if (c.key_concurrency) s.key_concurrency = *c.key_concurrency;
  if (c.key_rate) s.key_rate = c.key_rate;
  if (c.weight) s.weight = *c.weight;
  if (c.paused_kinds) s.paused_kinds = *c.paused_kinds;
  if (c.paused_keys) s.paused_keys = *c.paused_keys;
  s.paused_kinds.insert(c.pause_kinds.begin(), c.pause_kinds.end());
  s.paused_keys.insert(c.pause_keys.begin(), c.pause_keys.end());
  for (const auto& name : c.resume_kinds) s.paused_kinds.erase(name);
  for (const auto& name : c.resume_keys) s.paused_keys.erase(name);
  if (s.paused_kinds.size() > limits::paused_parts || s.paused_keys.size() > limits::paused_parts)
    return error{ec::unprocessable, "a queue can have " + std::to_string(limits::paused_parts) +
                                        " paused kinds and as many paused keys; resume some, or pause the queue"};
  return s;
}

} // namespace taskmaster
