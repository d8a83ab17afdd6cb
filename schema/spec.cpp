// Judges what a client asks for. Every door calls validate(), so a limit is told in the same words whichever
// way a task comes; the CHECK constraints and taskmaster.submit() repeat the limits for those who come
// through SQL.
#include "schema/task.hpp"
#include "schema/webhook.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <openssl/sha.h>
#include <set>

namespace taskmaster {

namespace {

const std::int32_t default_attempts = task_spec{}.max_attempts;

/// One part of a JSON pointer (RFC 6901).
std::string pointer_part(std::string_view name) {
  std::string text;
  for (char c : name) {
    if (c == '~')
      text += "~0";
    else if (c == '/')
      text += "~1";
    else
      text += c;
  }
  return text;
}

/// Collects faults and remembers which kind of answer they ask for.
class judge {
public:
  void form(std::string field, std::string detail) { add(form_, std::move(field), std::move(detail)); }
  void size(std::string field, std::string detail) { add(size_, std::move(field), std::move(detail)); }
  void rule(std::string field, std::string detail) { add(rule_, std::move(field), std::move(detail)); }

  void text(const std::string& field, std::string_view value, std::size_t limit) {
    if (!storable_text(value))
      form(field, "has to be UTF-8 text without NUL");
    else if (value.size() > limit)
      rule(field,
           "is " + std::to_string(value.size()) + " bytes long; the limit is " + std::to_string(limit));
  }

  std::optional<error> verdict() && {
    if (faults_.empty()) return std::nullopt;
    auto code = form_ ? ec::invalid_argument : size_ ? ec::too_large : ec::unprocessable;
    const auto& first = faults_.front();
    auto message = (first.field.empty() ? "the task" : first.field.substr(1)) + " " + first.detail;
    if (faults_.size() > 1) message += " (and " + std::to_string(faults_.size() - 1) + " more)";
    return error{code, std::move(message), std::move(faults_)};
  }

private:
  void add(bool& kind, std::string field, std::string detail) {
    kind = true;
    faults_.push_back({std::move(field), std::move(detail)});
  }

  std::vector<field_fault> faults_;
  bool form_ = false, size_ = false, rule_ = false;
};

void judge_times(const task_spec& spec, timestamp now, judge& j) {
  static const auto earliest = timestamp{std::chrono::sys_days{std::chrono::year{1} / 1 / 1}};
  if (spec.run_at && spec.delay) j.form("/delay", "cannot stand beside run_at; give one of the two");
  if (spec.run_at && *spec.run_at < earliest)
    j.form("/run_at", "lies before the year 0001");
  else if (spec.run_at && *spec.run_at > now + limits::horizon)
    j.rule("/run_at", "is " + format_timestamp(*spec.run_at) + "; the limit is 10 years from now");
  if (spec.delay && *spec.delay < duration{0})
    j.form("/delay", "is negative");
  else if (spec.delay && *spec.delay > limits::horizon)
    j.rule("/delay", "is " + format_duration(*spec.delay) + "; the limit is 10 years");
  if (spec.timeout < duration{0})
    j.form("/timeout", "is negative");
  else if (spec.timeout > limits::timeout)
    j.rule("/timeout",
           "is " + format_duration(spec.timeout) + "; the limit is " + format_duration(limits::timeout));
  if (spec.expires_at && (!spec.delay || *spec.delay <= limits::horizon)) {
    auto due = spec.run_at ? *spec.run_at : now + spec.delay.value_or(duration{0});
    if (*spec.expires_at <= due)
      j.rule("/expires_at", "is " + format_timestamp(*spec.expires_at) + ", not after the task is due, " +
                                format_timestamp(due));
  }
}

void judge_options(const task_spec& spec, judge& j) {
  const auto& o = spec.options;
  if (o.heartbeat_timeout < duration{0})
    j.form("/heartbeat_timeout", "is negative");
  else if (o.heartbeat_timeout > limits::timeout)
    j.rule("/heartbeat_timeout", "is " + format_duration(o.heartbeat_timeout) + "; the limit is " + format_duration(limits::timeout));
  else if (o.heartbeat_timeout > duration{0} && o.heartbeat_timeout < limits::heartbeat_timeout_least)
    j.rule("/heartbeat_timeout", "is " + format_duration(o.heartbeat_timeout) + "; it has to be 0 (none), or " +
                                     format_duration(limits::heartbeat_timeout_least) + " to " + format_duration(limits::timeout));
  const bool period = o.scope == unique_scope::for_period;
  if (spec.unique_key.empty() && (o.scope != unique_scope{} || o.policy != unique_policy{} || o.unique_period != duration{0}))
    j.form("/unique/key", "is missing; it is what tasks are unique by");
  if (o.unique_period < duration{0})
    j.form("/unique/period", "is negative");
  else if (o.unique_period > limits::horizon)
    j.rule("/unique/period", "is " + format_duration(o.unique_period) + "; the limit is 10 years");
  else if (period && o.unique_period == duration{0})
    j.form("/unique/period", "is missing; scope for_period holds the key for so long");
  else if (!period && o.unique_period != duration{0})
    j.form("/unique/period", "goes only with scope for_period");
}

void judge_retry(const task_spec& spec, judge& j) {
  if (spec.max_attempts < 1 || spec.max_attempts > limits::attempts)
    j.rule("/max_attempts", "is " + std::to_string(spec.max_attempts) + "; it has to be 1 to " +
                                std::to_string(limits::attempts));
  else if (spec.delivery == delivery_mode::at_most_once && spec.max_attempts != 1 &&
           spec.max_attempts != default_attempts)
    j.rule("/max_attempts", "is " + std::to_string(spec.max_attempts) +
                                ", but delivery at_most_once means one attempt; leave it out");
  const auto& r = spec.retry;
  for (auto [field, value] : {std::pair{"/retry/initial", r.initial}, std::pair{"/retry/max", r.max}}) {
    if (value < duration{0})
      j.form(field, "is negative");
    else if (value > limits::horizon)
      j.rule(field, "is " + format_duration(value) + "; the limit is 10 years");
  }
  if (!std::isfinite(r.factor))
    j.form("/retry/factor", "is not a finite number");
  else if (r.factor < 1)
    j.rule("/retry/factor", "is less than 1, so that waits would shrink; it has to be 1 or more");
  if (!std::isfinite(r.jitter))
    j.form("/retry/jitter", "is not a finite number");
  else if (r.jitter < 0 || r.jitter > 1)
    j.rule("/retry/jitter", "is a part of the wait and has to be 0 to 1");
}

void judge_labels(const task_spec& spec, judge& j) {
  if (spec.labels.size() > limits::labels)
    j.rule("/labels", "has " + std::to_string(spec.labels.size()) + " entries; the limit is " +
                          std::to_string(limits::labels));
  for (const auto& [key, value] : spec.labels) {
    if (!storable_text(key)) {
      j.form("/labels", "has a key that is not UTF-8 text without NUL");
      continue;
    }
    auto field = "/labels/" + pointer_part(std::string_view(key).substr(0, limits::label_key));
    if (key.empty())
      j.form("/labels", "has an empty key");
    else if (key.size() > limits::label_key)
      j.rule(field, "has a key of " + std::to_string(key.size()) + " bytes; the limit is " +
                        std::to_string(limits::label_key));
    j.text(field, value, limits::label_value);
  }
}

void judge_after(const task_spec& spec, judge& j) {
  constexpr const char* form = "has to be 1 to 64 characters out of letters, digits and '_', '.', ':', '/', '-'";
  const auto& o = spec.options;
  if (!o.ref.empty() && !valid_ref(o.ref)) j.form("/ref", form);
  else if (uuid::parse(o.ref)) j.form("/ref", "looks like the id of a task; give the row a name");
  if (!o.group.empty() && !valid_ref(o.group)) j.form("/group", form);
  if (spec.after.size() > limits::after)
    return j.rule("/after", "has " + std::to_string(spec.after.size()) + " entries; the limit is " + std::to_string(limits::after) +
                                "; a group stands for any number of tasks");
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (std::size_t i = 0; i < spec.after.size(); ++i) {
    const auto& a = spec.after[i];
    const auto at = "/after/" + std::to_string(i);
    if (a.task.empty() == a.group.empty()) j.form(at, "has to name one of ref (a ref or an id) and group");
    else if (!valid_ref(a.task.empty() ? a.group : a.task)) j.form(at, form);
    else if (!seen.emplace(a.task, a.group).second) j.rule(at, "names what another entry names already");
  }
}

std::string name_fault(std::string_view value, std::string_view example) {
  if (value.empty()) return "is missing or empty; give a name like \"" + std::string(example) + "\"";
  return "has to be 1 to " + std::to_string(limits::name) + " characters out of a-z, 0-9, '_', '.' and '-'";
}

/// Strings with their lengths, so that no two specs share a text.
void add(std::string& out, std::string_view text) { (out += std::to_string(text.size()) + ":") += text; }
void add(std::string& out, std::int64_t value) { out += std::to_string(value) + ";"; }
template <class T>
void add(std::string& out, const std::optional<T>& value) {
  if (!value)
    out += "-;";
  else if constexpr (std::is_same_v<T, timestamp>)
    add(out, value->time_since_epoch().count());
  else
    add(out, value->count());
}

} // namespace

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > limits::name) return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-')) return false;
  return true;
}

bool storable_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    if (lead == 0) return false;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i <= more) return false;
    auto second = static_cast<unsigned char>(text[i + 1]);
    // Overlong forms, surrogates, and what lies above U+10FFFF.
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
      return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    i += more + 1;
  }
  return true;
}

std::optional<error> validate(const task_spec& spec, timestamp now) {
  judge j;
  if (!valid_name(spec.kind)) j.form("/kind", name_fault(spec.kind, "shell"));
  if (!valid_name(spec.queue)) j.form("/queue", name_fault(spec.queue, "default"));
  if (spec.payload.size() > limits::payload_bytes)
    j.size("/payload", "is " + std::to_string(spec.payload.size()) + " bytes long; the limit is " +
                           std::to_string(limits::payload_bytes) + " (1 MiB)");
  else if (spec.payload != "null" && !nlohmann::json::accept(spec.payload))
    j.form("/payload", "is not JSON");
  judge_times(spec, now, j);
  if (spec.priority < 0 || spec.priority > limits::priority)
    j.rule("/priority",
           "is " + std::to_string(spec.priority) + "; it has to be 0 to " + std::to_string(limits::priority));
  judge_retry(spec, j);
  judge_options(spec, j);
  j.text("/unique_key", spec.unique_key, limits::key);
  j.text("/idempotency_key", spec.idempotency_key, limits::key);
  j.text("/concurrency_key", spec.concurrency_key, limits::key);
  judge_labels(spec, j);
  judge_after(spec, j);
  if (const auto fault = webhook_url_fault(spec.options.webhook); fault && !spec.options.webhook.empty()) j.form("/webhook", *fault);
  if (spec.kind == webhook_kind) j.rule("/kind", "is the service's own; name the URL to tell in the field webhook of the task itself");
  return std::move(j).verdict();
}

std::string fingerprint(const task_spec& spec) {
  std::string text = "1;"; // of this order of fields
  add(text, spec.kind);
  add(text, spec.payload);
  add(text, spec.queue);
  add(text, spec.run_at);
  add(text, spec.delay);
  add(text, spec.priority);
  add(text, spec.timeout.count());
  add(text, spec.expires_at);
  add(text, spec.max_attempts);
  add(text, spec.retry.initial.count());
  add(text, std::to_string(spec.retry.factor));
  add(text, spec.retry.max.count());
  add(text, std::to_string(spec.retry.jitter));
  add(text, to_string(spec.delivery));
  add(text, spec.unique_key);
  add(text, spec.concurrency_key);
  for (const auto& [key, value] : spec.labels) {
    add(text, key);
    add(text, value);
  }
  for (const auto& a : spec.after) {
    add(text, a.task);
    add(text, a.group);
    add(text, to_string(a.on));
    add(text, to_string(a.otherwise));
  }
  if (const auto options = to_json(spec.options); !options.empty()) add(text, options);
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

} // namespace taskmaster
