#include "gateway/task_json.hpp"

#include "gateway/after_json.hpp"
#include "gateway/json_door.hpp"
#include "schema/graph.hpp"

#include <algorithm>
#include <limits>
#include <set>

namespace taskmaster {
namespace {

/// One task being read: each reader takes a field's value and stores it, or notes what is wrong with it.
class task_reader {
public:
  task_spec spec;
  std::vector<field_fault> faults;

  void read(const json_view& json) {
    bool kind = false;
    for (const auto& [name, value] : json.members()) {
      kind = kind || name == "kind";
      read_field(name, value);
    }
    if (!kind) fault("/kind", "is missing; name what is to run, such as \"shell\"");
    if (seen_unique_ && seen_unique_key_) fault("/unique", "stands beside unique_key, which is short for it; give one of the two");
  }

  /// The names of what is to be changed.
  std::set<std::string> read_changes(const json_view& json) {
    std::set<std::string> fields;
    for (const auto& [name, value] : json.members()) {
      const std::string at = "/" + pointer_token(name);
      if (name == "retry" && value.what() == json_view::type::object) {
        retry(at, value);
        for (const auto& [part, v] : value.members()) fields.insert("retry." + part);
      } else if (name == "retry" && value.null()) {
        fields.insert({"retry.initial", "retry.factor", "retry.max", "retry.jitter"});
      } else if (may_be_edited(name) || name == "retry") {
        if (name == "run_at" && value.null()) fault(at, "is null; \"delay\": \"0s\" makes it due at once");
        read_field(name, value);
        fields.insert(name);
      } else if (known(name)) {
        fault(at, std::string("cannot be changed, it says what the task is; cancel it and submit another. These can be changed: ") + editable_fields);
      } else {
        fault(at, std::string("is no field that can be changed; these are ") + editable_fields);
      }
    }
    return fields;
  }

private:
  bool seen_unique_ = false, seen_unique_key_ = false;

  void fault(std::string field, std::string detail) { faults.push_back({std::move(field), std::move(detail)}); }

  void read_field(const std::string& name, const json_view& value) {
    const std::string at = "/" + pointer_token(name);
    if (name == "payload") {
      spec.payload = compact_json(value.text());
    } else if (name == "after") {
      if (!value.null()) spec.after = read_after(at, value, faults);
    } else if (!known(name)) {
      fault(at, "is no field of a task; look for a misspelling");
    } else if (value.null()) {
      if (name == "kind") fault(at, "is null; name what is to run, such as \"shell\"");
    } else if (name == "kind") {
      text(at, value, spec.kind);
    } else if (name == "queue") {
      text(at, value, spec.queue);
    } else if (name == "run_at") {
      time(at, value, spec.run_at);
    } else if (name == "delay") {
      length(at, value, spec.delay);
    } else if (name == "priority") {
      whole(at, value, spec.priority);
    } else if (name == "timeout") {
      length(at, value, spec.timeout);
    } else if (name == "expires_at") {
      time(at, value, spec.expires_at);
    } else if (name == "max_attempts") {
      whole(at, value, spec.max_attempts);
    } else if (name == "retry") {
      retry(at, value);
    } else if (name == "delivery") {
      delivery(at, value);
    } else if (name == "unique_key") {
      seen_unique_key_ = true;
      text(at, value, spec.unique_key);
    } else if (name == "idempotency_key") {
      text(at, value, spec.idempotency_key);
    } else if (name == "concurrency_key") {
      text(at, value, spec.concurrency_key);
    } else if (name == "heartbeat_timeout") {
      length(at, value, spec.options.heartbeat_timeout);
    } else if (name == "unique") {
      unique(at, value);
    } else if (name == "webhook") {
      text(at, value, spec.options.webhook);
    } else if (name == "ref") {
      text(at, value, spec.options.ref);
    } else if (name == "group") {
      text(at, value, spec.options.group);
    } else {
      labels(at, value);
    }
  }

  static bool known(const std::string& name) {
    static constexpr std::string_view names[] = {"kind",       "queue",           "run_at",          "delay",   "priority",
                                                 "timeout",    "expires_at",      "max_attempts",    "retry",   "delivery",
                                                 "unique_key", "idempotency_key", "concurrency_key", "labels",  "unique",
                                                 "heartbeat_timeout", "ref", "group",   "webhook"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  }

  void text(const std::string& at, const json_view& value, std::string& out) {
    if (auto s = value.string())
      out = std::move(*s);
    else
      fault(at, "has to be a string; this is " + std::string(value.what_text()));
  }

  void whole(const std::string& at, const json_view& value, std::int32_t& out) {
    const auto v = value.integer();
    if (v && *v >= std::numeric_limits<std::int32_t>::min() && *v <= std::numeric_limits<std::int32_t>::max())
      out = static_cast<std::int32_t>(*v);
    else if (value.what() == json_view::type::number)
      fault(at, "has to be a whole number of at most nine digits");
    else
      fault(at, "has to be a whole number; this is " + std::string(value.what_text()));
  }

  void real(const std::string& at, const json_view& value, double& out) {
    if (const auto v = value.number())
      out = *v;
    else
      fault(at, "has to be a number; this is " + std::string(value.what_text()));
  }

  template <class Out>
  void time(const std::string& at, const json_view& value, Out& out) {
    const auto s = value.string();
    if (!s) return fault(at, "has to be a time as a string, such as \"2030-01-31T12:00:00+01:00\"; this is " + std::string(value.what_text()));
    if (auto t = parse_timestamp(*s))
      out = *t;
    else
      fault(at, t.failure().message);
  }

  template <class Out>
  void length(const std::string& at, const json_view& value, Out& out) {
    const auto s = value.string();
    if (!s) return fault(at, "has to be a duration as a string, such as \"1m30s\"; this is " + std::string(value.what_text()));
    if (auto d = parse_duration(*s))
      out = *d;
    else
      fault(at, d.failure().message);
  }

  void unique(const std::string& at, const json_view& value) {
    seen_unique_ = true;
    if (value.what() != json_view::type::object)
      return fault(at, "has to be an object of key, scope, period and policy; this is " + std::string(value.what_text()));
    for (const auto& [name, v] : value.members()) {
      const std::string field = at + "/" + pointer_token(name);
      const auto word = v.string();
      if (name != "key" && name != "scope" && name != "period" && name != "policy") {
        fault(field, "is no field of unique; these are key, scope, period and policy");
      } else if (v.null()) {
        continue;
      } else if (name == "key") {
        text(field, v, spec.unique_key);
      } else if (name == "period") {
        length(field, v, spec.options.unique_period);
      } else if (name == "scope") {
        const auto s = word ? parse_unique_scope(*word) : std::nullopt;
        s ? void(spec.options.scope = *s) : fault(field, "has to be until_finished, while_waiting or for_period");
      } else {
        const auto p = word ? parse_unique_policy(*word) : std::nullopt;
        p ? void(spec.options.policy = *p) : fault(field, "has to be return_first, replace or refuse");
      }
    }
    if (spec.unique_key.empty()) fault(at + "/key", "is missing; it is what tasks are unique by");
  }

  void retry(const std::string& at, const json_view& value) {
    if (value.what() != json_view::type::object)
      return fault(at, "has to be an object of initial, factor, max and jitter; this is " + std::string(value.what_text()));
    for (const auto& [name, v] : value.members()) {
      const std::string field = at + "/" + pointer_token(name);
      if (name != "initial" && name != "factor" && name != "max" && name != "jitter")
        fault(field, "is no field of a retry; these are initial, factor, max and jitter");
      else if (v.null())
        continue;
      else if (name == "initial")
        length(field, v, spec.retry.initial);
      else if (name == "max")
        length(field, v, spec.retry.max);
      else
        real(field, v, name == "factor" ? spec.retry.factor : spec.retry.jitter);
    }
  }

  void delivery(const std::string& at, const json_view& value) {
    const auto s = value.string();
    if (const auto d = s ? parse_delivery(*s) : std::nullopt)
      spec.delivery = *d;
    else
      fault(at, "has to be \"at_least_once\" or \"at_most_once\"");
  }

  void labels(const std::string& at, const json_view& value) {
    if (value.what() != json_view::type::object)
      return fault(at, "has to be an object of strings; this is " + std::string(value.what_text()));
    for (const auto& [name, v] : value.members()) {
      if (auto s = v.string())
        spec.labels[name] = std::move(*s);
      else
        fault(at + "/" + pointer_token(name), "has to be a string; this is " + std::string(v.what_text()));
    }
  }
};

std::string faults_sentence(std::size_t n) {
  return n == 1 ? "The task has a fault; `errors` names the field." : "The task has " + std::to_string(n) + " faults; `errors` names the fields.";
}

} // namespace

expected<task_spec> read_task(const json_view& json, timestamp now, task_spec* seen) {
  if (json.what() != json_view::type::object)
    return error(ec::invalid_argument, "A task is a JSON object, such as {\"kind\": \"noop\"}; this is " + std::string(json.what_text()) + ".",
                 {{"", "has to be an object"}});
  task_reader reader;
  reader.read(json);
  auto broken = validate(reader.spec, now);
  if (seen) {
    seen->options = reader.spec.options;
    seen->after = reader.spec.after;
  }
  return judge_read(std::move(reader.spec), std::move(reader.faults), std::move(broken));
}

expected<task_edit> read_edit(const json_view& json, timestamp now) {
  if (json.what() != json_view::type::object)
    return error(ec::invalid_argument, "A change is a JSON object, such as {\"priority\": 5}; this is " + std::string(json.what_text()) + ".",
                 {{"", "has to be an object"}});
  task_reader reader;
  task_edit edit;
  edit.fields = reader.read_changes(json);
  edit.to = std::move(reader.spec);
  auto broken = edit.fields.empty() && !reader.faults.empty() ? std::nullopt : validate(edit, now);
  auto judged = judge_read(edit.to, std::move(reader.faults), std::move(broken));
  if (!judged) return std::move(judged.failure());
  return edit;
}

expected<task_spec> judge_read(task_spec spec, std::vector<field_fault> faults, std::optional<error> broken) {
  if (faults.empty()) {
    if (broken) return std::move(*broken);
    return spec;
  }
  if (broken) {
    for (auto& f : broken->faults) {
      const bool told = std::any_of(faults.begin(), faults.end(), [&](const field_fault& r) { return r.field == f.field; });
      if (!told) faults.push_back(std::move(f));
    }
  }
  auto sentence = faults_sentence(faults.size()); // before the faults are moved away
  return error(ec::invalid_argument, std::move(sentence), std::move(faults));
}

task_record record_of(const task& stored, const std::map<std::string, std::string>& labels) {
  task_record r;
  r.task = stored;
  r.labels = labels;
  r.state = stored.run_at > stored.created_at ? task_state::scheduled : task_state::ready;
  r.reason = stored.reason;
  return r;
}

std::optional<timestamp> next_attempt_at(const task_record& r) {
  if (r.state != task_state::scheduled && r.state != task_state::ready) return std::nullopt;
  if (waits(r.task)) return std::nullopt;
  return r.task.run_at;
}

void write_task_fields(json_writer& out, const task_record& r) {
  const auto& t = r.task;
  out.field("id", t.id.str()).field("kind", t.kind).field("queue", t.queue);
  out.field("state", to_string(r.state)).field_or_null("reason", r.reason);
  out.key("payload").raw(t.payload ? *t.payload : std::string_view());
  out.key("priority").integer(t.priority);
  const auto& options = options_of(t.options);
  if (waits(t)) out.field("run_at", options.due); // its own time, if it has one; it counts when the waiting is over
  else out.field("run_at", t.run_at);
  out.field("created_at", t.created_at).field("next_attempt_at", next_attempt_at(r));
  out.field("picked_at", r.picked_at).field("started_at", r.started_at).field("finished_at", r.finished_at);
  out.field("expires_at", t.expires_at);
  out.field_or_null("timeout", t.timeout == duration{0} ? std::string() : format_duration(t.timeout));
  out.key("attempt").integer(t.attempt).key("max_attempts").integer(t.max_attempts);
  out.key("retry").begin_object();
  out.field("initial", format_duration(t.retry.initial)).key("factor").number(t.retry.factor);
  out.field("max", format_duration(t.retry.max)).key("jitter").number(t.retry.jitter).end_object();
  out.field("delivery", to_string(t.delivery));
  out.field_or_null("unique_key", t.unique_key).field_or_null("concurrency_key", t.concurrency_key);
  out.key("labels").begin_object();
  for (const auto& [k, v] : r.labels) out.field(k, v);
  out.end_object();
  out.field_or_null("worker", r.worker);
  out.field_or_null("fence", r.fence.none() ? std::string() : r.fence.str());
  out.key("progress").raw(r.progress).key("result").raw(r.result);
  out.key("error");
  if (r.error)
    out.begin_object().field("code", r.error->code).field("message", r.error->message).end_object();
  else
    out.null();
  out.field_or_null("heartbeat_timeout", options.heartbeat_timeout == duration{0} ? std::string() : format_duration(options.heartbeat_timeout));
  out.key("unique");
  if (t.unique_key.empty()) {
    out.null();
  } else {
    out.begin_object().field("key", t.unique_key).field("scope", to_string(options.scope)).field("policy", to_string(options.policy));
    out.field_or_null("period", options.unique_period == duration{0} ? std::string() : format_duration(options.unique_period)).end_object();
  }
  out.key("deferrals").integer(t.deferrals);
  out.key("checkpoint").raw(t.checkpoint ? *t.checkpoint : std::string_view());
  out.field_or_null("group", options.group).field_or_null("ref", options.ref);
  write_after(out, r);
  out.field_or_null("schedule", options.schedule).field("scheduled_for", options.scheduled_for);
  out.field_or_null("webhook", options.webhook);
}

void write_task(json_writer& out, const task_record& record) {
  out.begin_object();
  write_task_fields(out, record);
  out.end_object();
}

void write_attempt(json_writer& out, const attempt_record& a) {
  out.begin_object().key("attempt").integer(a.attempt).key("losses").integer(a.losses);
  out.field("outcome", a.outcome).field_or_null("reason", a.reason).field_or_null("worker", a.worker);
  out.field_or_null("fence", a.fence.none() ? std::string() : a.fence.str());
  out.field("picked_at", a.picked_at).field("started_at", a.started_at).field("finished_at", a.finished_at);
  out.key("error");
  if (a.error)
    out.begin_object().field("code", a.error->code).field("message", a.error->message).end_object();
  else
    out.null();
  out.end_object();
}

} // namespace taskmaster
