#include "gateway/schedule_json.hpp"

#include "gateway/task_json.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

std::string sentence(std::size_t faults) {
  return faults == 1 ? "The schedule has a fault; `errors` names the field." : "The schedule has " + std::to_string(faults) + " faults; `errors` names the fields.";
}

/// Set by the service; a client that sends back what it was shown is told so.
bool shown_only(const std::string& name) {
  static constexpr std::string_view names[] = {"version", "next_at", "last_at", "buffered_at", "created_at", "updated_at", "tzdata", "warnings"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

class schedule_reader {
public:
  schedule_command command;
  std::vector<field_fault> faults;
  std::optional<ec> broken_task; // how the task is at fault, when it is

  void read(const json_view& json, timestamp now) {
    auto& s = command.spec;
    auto& w = s.when;
    bool task = false;
    for (const auto& [name, value] : json.members()) {
      const std::string at = "/" + pointer_token(name);
      if (name == "task") {
        task = true;
        read_template(value, now);
      }
      else if (shown_only(name)) fault(at, "is set by the service; leave it out");
      else if (value.null() && known(name)) continue;
      else if (name == "name") {
        std::optional<std::string> other;
        text(at, value, other);
        if (other && *other != s.name) fault(at, "is another name than the path's, '" + s.name + "'");
      } else if (name == "cron") text(at, value, w.cron);
      else if (name == "every") length(at, value, w.every);
      else if (name == "anchor") time(at, value, w.anchor);
      else if (name == "rrule") text(at, value, w.rrule);
      else if (name == "timezone") {
        if (auto zone = value.string()) w.timezone = std::move(*zone);
        else fault(at, "has to be an IANA name as a string, such as \"Europe/Berlin\"; this is " + std::string(value.what_text()));
      } else if (name == "jitter") {
        std::optional<duration> d;
        length(at, value, d);
        s.jitter = d.value_or(duration(0));
      } else if (name == "starts_at") time(at, value, w.starts_at);
      else if (name == "ends_at") time(at, value, w.ends_at);
      else if (name == "misfire_window") length(at, value, s.misfire_window);
      else if (name == "overlap") choice(at, value, parse_overlap, s.overlap, "allow, skip, buffer_one or cancel_running");
      else if (name == "misfire") choice(at, value, parse_misfire, s.misfire, "skip, one or all");
      else if (name == "dst") dst(at, value);
      else if (name == "paused") {
        command.paused = value.boolean();
        if (!command.paused) fault(at, "has to be true or false; this is " + std::string(value.what_text()));
      } else
        fault(at, "is no field of a schedule; these are cron, every, anchor, rrule, timezone, jitter, starts_at, ends_at, overlap, misfire, misfire_window, dst, "
                  "paused and task");
    }
    if (!task) fault("/task", "is missing; it is the task to submit, such as {\"kind\": \"shell\", \"payload\": {\"command\": \"date\"}}");
  }

  void fault(std::string field, std::string why) { faults.push_back({std::move(field), std::move(why)}); }

  void time(const std::string& at, const json_view& value, std::optional<timestamp>& out) {
    const auto s = value.string();
    if (!s) return fault(at, "has to be a time as a string, such as \"2030-01-31T12:00:00+01:00\"; this is " + std::string(value.what_text()));
    if (auto t = parse_timestamp(*s)) out = *t;
    else fault(at, t.failure().message);
  }

private:
  static bool known(const std::string& name) {
    static constexpr std::string_view names[] = {"name",      "cron",    "every",   "anchor",  "rrule",          "timezone", "jitter",
                                                 "starts_at", "ends_at", "overlap", "misfire", "misfire_window", "dst",      "paused"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  }

  void read_template(const json_view& value, timestamp now) {
    auto task = read_task(value, now);
    if (task) {
      command.spec.task = std::move(*task);
      return;
    }
    for (const auto& f : task.failure().faults) fault("/task" + f.field, f.detail);
    broken_task = task.failure().code;
  }

  void text(const std::string& at, const json_view& value, std::optional<std::string>& out) {
    if (auto s = value.string()) out = std::move(*s);
    else fault(at, "has to be a string; this is " + std::string(value.what_text()));
  }

  void length(const std::string& at, const json_view& value, std::optional<duration>& out) {
    const auto s = value.string();
    if (!s) return fault(at, "has to be a duration as a string, such as \"10m\"; this is " + std::string(value.what_text()));
    if (auto d = parse_duration(*s)) out = *d;
    else fault(at, d.failure().message);
  }

  template <class Parse, class Out>
  void choice(const std::string& at, const json_view& value, Parse parse, Out& out, const char* which) {
    const auto s = value.string();
    if (const auto one = s ? parse(*s) : std::nullopt) out = *one;
    else fault(at, std::string("has to be one of ") + which);
  }

  void dst(const std::string& at, const json_view& value) {
    if (value.what() != json_view::type::object)
      return fault(at, "has to be an object such as {\"gap\": \"shift\", \"overlap\": \"first\"}; this is " + std::string(value.what_text()));
    for (const auto& [name, v] : value.members()) {
      const auto field = at + "/" + pointer_token(name);
      const auto s = v.string();
      auto& w = command.spec.when;
      if (name == "gap" && s && (*s == "skip" || *s == "shift")) w.gap_shift = *s == "shift";
      else if (name == "gap") fault(field, "has to be skip or shift");
      else if (name == "overlap" && s && (*s == "first" || *s == "both")) w.overlap_both = *s == "both";
      else if (name == "overlap") fault(field, "has to be first or both");
      else fault(field, "is no field of dst; these are gap and overlap");
    }
  }
};

void write_spec(json_writer& out, const task_spec& t) {
  out.begin_object().field("kind", t.kind).key("payload").raw(t.payload);
  out.field("queue", t.queue).key("priority").integer(t.priority);
  out.field_or_null("timeout", t.timeout == duration{0} ? std::string() : format_duration(t.timeout));
  out.key("max_attempts").integer(t.max_attempts).key("retry").begin_object();
  out.field("initial", format_duration(t.retry.initial)).key("factor").number(t.retry.factor);
  out.field("max", format_duration(t.retry.max)).key("jitter").number(t.retry.jitter).end_object();
  out.field("delivery", to_string(t.delivery)).field_or_null("concurrency_key", t.concurrency_key).key("labels").begin_object();
  for (const auto& [k, v] : t.labels) out.field(k, v);
  out.end_object();
  const auto options = to_json(t.options); // the rarer properties bear the names that clients know
  if (!options.empty())
    for (const auto& [name, value] : json_view(options).members()) out.key(name).raw(value.text());
  out.end_object();
}

} // namespace

expected<schedule_command> read_schedule(const json_view& json, const std::string& name, timestamp now) {
  if (json.what() != json_view::type::object)
    return error(ec::invalid_argument,
                 "A schedule is a JSON object, such as {\"cron\": \"0 3 * * *\", \"task\": {\"kind\": \"shell\", \"payload\": {\"command\": \"date\"}}}; this is " +
                     std::string(json.what_text()) + ".",
                 {{"", "has to be an object"}});
  schedule_reader reader;
  reader.command.name = reader.command.spec.name = name;
  reader.read(json, now);
  const auto broken = validate(reader.command.spec, now);
  if (reader.faults.empty() && broken) return *broken;
  if (reader.faults.empty()) return std::move(reader.command);
  // With the rules that the readable fields break; of an unreadable one its form is enough.
  const bool form = std::any_of(reader.faults.begin(), reader.faults.end(), [](const auto& f) { return !f.field.starts_with("/task/"); });
  if (broken)
    for (const auto& f : broken->faults) {
      const bool told = f.field.starts_with("/task") ||
                        std::any_of(reader.faults.begin(), reader.faults.end(), [&](const field_fault& r) { return r.field == f.field || r.field.starts_with(f.field + "/"); });
      if (!told) reader.faults.push_back(f);
    }
  const auto code = form || !reader.broken_task ? ec::invalid_argument : *reader.broken_task;
  auto text = sentence(reader.faults.size());
  return error(code, std::move(text), std::move(reader.faults));
}

expected<schedule_command> read_run(const json_view& json, const std::string& name, bool backfill, timestamp now) {
  schedule_reader reader;
  auto& c = reader.command;
  c.what = backfill ? schedule_command::verb::backfill : schedule_command::verb::trigger;
  c.name = name;
  if (!json.null() && json.what() != json_view::type::object) reader.fault("", "has to be an object; this is " + std::string(json.what_text()));
  std::optional<timestamp> from, until;
  for (const auto& [field, value] : json.members()) {
    const auto at = "/" + pointer_token(field);
    if (field == "from" && backfill) reader.time(at, value, from);
    else if (field == "until" && backfill) reader.time(at, value, until);
    else if (field == "overlap" && value.string() == "allow") c.beside_unfinished = true;
    else if (field == "overlap") reader.fault(at, "has to be \"allow\", or left out");
    else reader.fault(at, backfill ? "is unknown here; a backfill has from, until and overlap" : "is unknown here; a trigger has overlap");
  }
  if (backfill && reader.faults.empty()) {
    if (!from) reader.fault("/from", "is missing; both ends of the range have to be there, and count");
    if (!until) reader.fault("/until", "is missing; both ends of the range have to be there, and count");
    if (from && until && *until < *from) reader.fault("/until", "is before `from`");
    if (until && *until > now) reader.fault("/until", "has not come yet; what is to come fires by itself");
  }
  if (!reader.faults.empty()) return error(ec::invalid_argument, "The request cannot be read; `errors` names the fields.", std::move(reader.faults));
  c.from = from.value_or(timestamp{});
  c.until = until.value_or(timestamp{});
  return std::move(c);
}

std::vector<std::string> warnings_of(const schedule_record& r) {
  const auto s = schedule::make(r.spec);
  if (!s) return {"it does not fire: " + s.failure().message};
  return s->warnings(r.state.next_at);
}

void write_schedule(json_writer& out, const schedule_record& r) {
  const auto& s = r.spec;
  const auto& w = s.when;
  out.begin_object().field("name", s.name).key("version").integer(r.version);
  out.field_or_null("cron", w.cron.value_or("")).field_or_null("every", w.every ? format_duration(*w.every) : "");
  out.field("anchor", w.anchor).field_or_null("rrule", w.rrule.value_or("")).field("timezone", w.timezone);
  out.field("jitter", format_duration(s.jitter)).field("starts_at", w.starts_at).field("ends_at", w.ends_at);
  out.field("overlap", to_string(s.overlap)).field("misfire", to_string(s.misfire));
  out.field_or_null("misfire_window", s.misfire_window ? format_duration(*s.misfire_window) : s.misfire == misfire_policy::all ? "1h" : "");
  out.key("dst").begin_object().field("gap", w.gap_shift ? "shift" : "skip").field("overlap", w.overlap_both ? "both" : "first").end_object();
  out.key("paused").boolean(r.state.paused).key("task");
  write_spec(out, s.task);
  out.field("next_at", r.state.next_at).field("last_at", r.state.last_at).field("buffered_at", r.state.buffered);
  out.field("created_at", r.created_at).field("updated_at", r.updated_at).field("tzdata", r.tzdata);
  out.field("warnings", warnings_of(r)).end_object();
}

void write_unfired(json_writer& out, const ledger_row& row) {
  out.begin_object().field("instant", row.what.from).field("until", row.what.until).key("count").integer(row.what.count);
  out.field("reason", row.what.reason).field("decided_at", row.decided_at).end_object();
}

expected<schedule_preview> preview_of(const schedule_spec& spec, std::size_t count, timestamp now) {
  if (count < 1 || count > limits::preview) {
    const auto why = "has to be 1 to " + std::to_string(limits::preview);
    return error(ec::unprocessable, "A preview's count " + why + ".", {{"/count", why}});
  }
  const auto s = schedule::make(spec);
  if (!s) return s.failure();
  schedule_preview out{instants_between(s->when(), now, timestamp::max(), count), {}};
  out.warnings = s->warnings(out.instants.empty() ? std::nullopt : std::optional(out.instants.front()));
  return out;
}

} // namespace taskmaster
