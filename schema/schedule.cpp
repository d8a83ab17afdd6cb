#include "schema/schedule.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace taskmaster {
namespace {

using nlohmann::json;

/// FNV-1a, as cron's `~`: the same on every machine and release.
std::uint64_t hash_of(std::string_view text, std::int64_t number) {
  std::uint64_t h = 14695981039346656037u;
  for (const unsigned char c : text) h = (h ^ c) * 1099511628211u;
  for (int i = 0; i < 8; ++i) h = (h ^ ((static_cast<std::uint64_t>(number) >> (8 * i)) & 0xff)) * 1099511628211u;
  return h ^ (h >> 29);
}

/// The error of several faults: a wrong form before a broken limit, as validate() of a task says it.
struct verdict {
  std::vector<field_fault> faults;
  bool form = false, size = false;

  void bad_form(std::string field, std::string why) {
    faults.push_back({std::move(field), std::move(why)});
    form = true;
  }
  void bad_rule(std::string field, std::string why) { faults.push_back({std::move(field), std::move(why)}); }
  void take(const error& e, const std::string& under) {
    form = form || e.code == ec::invalid_argument;
    size = size || e.code == ec::too_large;
    for (const auto& f : e.faults) faults.push_back({under + f.field, f.detail});
  }
  std::optional<error> told() && {
    if (faults.empty()) return std::nullopt;
    const auto code = form ? ec::invalid_argument : size ? ec::too_large : ec::unprocessable;
    auto text = faults.size() == 1 ? faults.front().field.substr(std::min<std::size_t>(1, faults.front().field.size())) + ": " + faults.front().detail
                                   : "The schedule has " + std::to_string(faults.size()) + " faults; `errors` names the fields.";
    return error(code, std::move(text), std::move(faults));
  }
};

void judge_template(const task_spec& task, timestamp now, verdict& v) {
  if (const auto broken = validate(task, now)) v.take(*broken, "/task");
  if (task.run_at) v.bad_form("/task/run_at", "does not belong in a schedule's task: each instant is its run_at");
  if (task.delay) v.bad_form("/task/delay", "does not belong in a schedule's task; jitter spreads the instants");
  if (task.expires_at) v.bad_form("/task/expires_at", "does not belong in a schedule's task: it would be the same for all of them");
  if (!task.after.empty()) v.bad_form("/task/after", "does not belong in a schedule's task: what it names ends once, and every instant would wait for it");
  if (!task.options.ref.empty()) v.bad_form("/task/ref", "does not belong in a schedule's task: it names a row of a batch");
  if (!task.idempotency_key.empty()) v.bad_form("/task/idempotency_key", "does not belong in a schedule's task: there is one task for each instant anyway");
  if (!task.unique_key.empty())
    v.bad_form("/task/unique_key", "does not belong in a schedule's task; `overlap` says what happens while the last one is unfinished");
}

template <class T>
std::optional<T> parse_one(std::string_view text, std::initializer_list<T> all) {
  for (const auto one : all)
    if (to_string(one) == text) return one;
  return std::nullopt;
}

/// The reasons of single instants, as rows: single ones, or runs when there are many.
class ledger {
public:
  void add(timestamp instant, const char* reason) { rows_.push_back({instant, instant, 1, reason}); }
  std::vector<unfired> rows() && {
    constexpr std::size_t single = 100;
    std::sort(rows_.begin(), rows_.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
    if (rows_.size() <= single) return std::move(rows_);
    std::vector<unfired> runs;
    for (auto& row : rows_) {
      if (runs.empty() || runs.back().reason != row.reason) {
        runs.push_back(std::move(row));
        continue;
      }
      runs.back().until = row.until;
      ++runs.back().count;
    }
    return runs;
  }

private:
  std::vector<unfired> rows_;
};

} // namespace

std::string_view to_string(overlap_policy p) {
  switch (p) {
  case overlap_policy::allow: return "allow";
  case overlap_policy::skip: return "skip";
  case overlap_policy::buffer_one: return "buffer_one";
  default: return "cancel_running";
  }
}

std::string_view to_string(misfire_policy p) {
  switch (p) {
  case misfire_policy::skip: return "skip";
  case misfire_policy::one: return "one";
  default: return "all";
  }
}

std::optional<overlap_policy> parse_overlap(std::string_view text) {
  return parse_one(text, {overlap_policy::allow, overlap_policy::skip, overlap_policy::buffer_one, overlap_policy::cancel_running});
}

std::optional<misfire_policy> parse_misfire(std::string_view text) {
  return parse_one(text, {misfire_policy::skip, misfire_policy::one, misfire_policy::all});
}

std::optional<error> validate(const schedule_spec& spec, timestamp now) {
  verdict v;
  if (!valid_name(spec.name)) v.bad_form("/name", "has to be 1 to 64 characters out of a-z, 0-9, '_', '.' and '-'");
  if (const auto when = recurrence::make(spec.when, spec.name); !when) v.take(when.failure(), "");
  if (spec.jitter < duration(0) || spec.jitter > limits::schedule_jitter)
    v.bad_rule("/jitter", "has to be 0s to " + format_duration(limits::schedule_jitter));
  if (spec.misfire_window && (*spec.misfire_window <= duration(0) || *spec.misfire_window > limits::misfire_window))
    v.bad_rule("/misfire_window", "has to be more than 0s and at most " + format_duration(limits::misfire_window));
  judge_template(spec.task, now, v);
  return std::move(v).told();
}

std::string definition_json(const schedule_spec& spec) {
  json out = json::object();
  const auto& w = spec.when;
  if (w.cron) out["cron"] = *w.cron;
  if (w.every) out["every"] = format_duration(*w.every);
  if (w.anchor) out["anchor"] = format_timestamp(*w.anchor);
  if (w.rrule) out["rrule"] = *w.rrule;
  out["timezone"] = w.timezone;
  if (w.starts_at) out["starts_at"] = format_timestamp(*w.starts_at);
  if (w.ends_at) out["ends_at"] = format_timestamp(*w.ends_at);
  out["dst"] = {{"gap", w.gap_shift ? "shift" : "skip"}, {"overlap", w.overlap_both ? "both" : "first"}};
  out["jitter"] = format_duration(spec.jitter);
  out["overlap"] = to_string(spec.overlap);
  out["misfire"] = to_string(spec.misfire);
  if (spec.misfire_window) out["misfire_window"] = format_duration(*spec.misfire_window);
  return out.dump();
}

expected<schedule_spec> parse_definition(std::string_view text) {
  const auto in = json::parse(text, nullptr, false);
  const auto broken = [&](const std::string& what) {
    return error(ec::internal, "a stored schedule cannot be read, its " + what + " is malformed: " + std::string(text.substr(0, 200)));
  };
  if (!in.is_object()) return broken("definition");
  schedule_spec out;
  auto& w = out.when;
  const auto of = [&](const char* name) -> std::optional<std::string> {
    const auto at = in.find(name);
    return at != in.end() && at->is_string() ? std::optional(at->get<std::string>()) : std::nullopt;
  };
  const auto time = [&](const char* name, std::optional<timestamp>& to) {
    const auto given = of(name);
    const auto t = given ? parse_timestamp(*given) : expected<timestamp>();
    if (t) to = *t;
    return !given || t;
  };
  const auto length = [&](const char* name, std::optional<duration>& to) {
    const auto given = of(name);
    const auto d = given ? parse_duration(*given) : expected<duration>();
    if (d) to = *d;
    return !given || d;
  };
  w.cron = of("cron");
  w.rrule = of("rrule");
  w.timezone = of("timezone").value_or("UTC");
  std::optional<duration> jitter;
  if (!length("every", w.every) || !length("jitter", jitter) || !length("misfire_window", out.misfire_window)) return broken("length of time");
  if (!time("anchor", w.anchor) || !time("starts_at", w.starts_at) || !time("ends_at", w.ends_at)) return broken("time");
  out.jitter = jitter.value_or(duration(0));
  if (const auto dst = in.find("dst"); dst != in.end() && dst->is_object()) {
    w.gap_shift = dst->value("gap", "shift") != "skip";
    w.overlap_both = dst->value("overlap", "first") == "both";
  }
  const auto overlap = parse_overlap(of("overlap").value_or("allow"));
  const auto misfire = parse_misfire(of("misfire").value_or("one"));
  if (!overlap || !misfire) return broken("policy");
  out.overlap = *overlap;
  out.misfire = *misfire;
  return out;
}

std::string digest(const schedule_spec& spec) { return definition_json(spec) + fingerprint(spec.task); }

expected<schedule> schedule::make(schedule_spec spec) {
  auto when = recurrence::make(spec.when, spec.name);
  if (!when) return when.failure();
  return schedule(std::move(spec), std::move(*when));
}

timestamp schedule::due_at(timestamp instant) const {
  if (spec_.jitter <= duration(0)) return instant;
  const auto h = hash_of(spec_.name, instant.time_since_epoch().count());
  return instant + duration(static_cast<std::int64_t>(h % static_cast<std::uint64_t>(spec_.jitter.count())));
}

std::vector<std::string> schedule::warnings(std::optional<timestamp> next) const {
  auto out = when_.warnings();
  if (out.empty() && !next) out.push_back("it has no further instant; it does not fire any more");
  return out;
}

schedule_decision decide(const schedule& s, const schedule_state& state, std::size_t unfinished, timestamp now, std::size_t most) {
  schedule_decision out;
  out.next = state;
  auto& next = out.next;
  std::vector<timestamp> due;
  while (next.next_at && *next.next_at <= now && due.size() < most) {
    due.push_back(*next.next_at);
    next.next_at = s.when().next(*next.next_at);
  }
  out.more = next.next_at && *next.next_at <= now;
  ledger not_fired;
  const auto& spec = s.spec();
  if (state.paused) {
    for (const auto t : due) not_fired.add(t, "paused");
    if (next.buffered) not_fired.add(*next.buffered, "paused");
    next.buffered.reset();
    out.ledger = std::move(not_fired).rows();
    return out;
  }

  // Misfires: which of the instants may fire at all.
  std::vector<timestamp> wanted;
  const auto late = [&](timestamp t) { return now - t > limits::misfire_after; };
  const auto window = spec.misfire_window ? *spec.misfire_window : spec.misfire == misfire_policy::all ? duration(std::chrono::hours(1)) : duration::max();
  const bool missed = !due.empty() && late(due.front());
  for (std::size_t i = 0; i < due.size(); ++i) {
    const auto t = due[i];
    const bool latest = i + 1 == due.size() && !out.more;
    const bool in_time = !late(t) || now - t <= window;
    const bool fires = spec.misfire == misfire_policy::skip ? !late(t) : spec.misfire == misfire_policy::all ? in_time : !missed || (latest && in_time);
    if (fires) wanted.push_back(t);
    else not_fired.add(t, "misfired");
  }

  // Overlaps: which of those do.
  bool busy = unfinished > 0;
  const auto fire = [&](timestamp t) {
    out.fire.push_back({t, late(t) ? now : s.due_at(t)});
    next.last_at = std::max(next.last_at.value_or(t), t);
    busy = true;
  };
  const auto drop = [&](timestamp t) { not_fired.add(t, "overlapped"); };
  if (spec.overlap == overlap_policy::cancel_running) {
    // The newest counts; what it replaces never ran.
    if (next.buffered) wanted.insert(wanted.begin(), *next.buffered);
    next.buffered.reset();
    if (!wanted.empty()) {
      for (std::size_t i = 0; i + 1 < wanted.size(); ++i) drop(wanted[i]);
      if (busy) next.buffered = wanted.back();
      else fire(wanted.back());
    }
    out.cancel = next.buffered && unfinished > 0;
  } else {
    if (next.buffered && (!busy || spec.overlap != overlap_policy::buffer_one)) {
      const auto waited = *next.buffered;
      next.buffered.reset();
      if (busy && spec.overlap == overlap_policy::skip) drop(waited);
      else fire(waited);
    }
    for (const auto t : wanted) {
      if (!busy || spec.overlap == overlap_policy::allow) fire(t);
      else if (spec.overlap == overlap_policy::buffer_one && !next.buffered) next.buffered = t;
      else drop(t);
    }
  }
  out.ledger = std::move(not_fired).rows();
  return out;
}

schedule_state begin(const schedule& s, const schedule_state& before, timestamp now) {
  auto out = before;
  out.next_at = s.when().next(now);
  return out;
}

} // namespace taskmaster
