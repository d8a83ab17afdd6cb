#include "gateway/schedule_proto.hpp"

#include "gateway/plan_proto.hpp"
#include "gateway/schedule_json.hpp"
#include "gateway/task_proto.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

using seconds = std::chrono::seconds;

std::optional<timestamp> read_instant(const google::protobuf::Timestamp& t) {
  constexpr std::int64_t first = -62'135'596'800, last = 253'402'300'799; // the years 0001 to 9999
  if (t.nanos() < 0 || t.nanos() > 999'999'999 || t.seconds() < first || t.seconds() > last) return std::nullopt;
  return timestamp(seconds(t.seconds()) + duration(t.nanos() / 1000));
}

void write_length(google::protobuf::Duration& out, duration d) {
  out.set_seconds(d.count() / 1'000'000);
  out.set_nanos(static_cast<std::int32_t>(d.count() % 1'000'000 * 1000));
}

void write_template(v1::TaskSpec& out, const task_spec& t) {
  out.set_kind(t.kind);
  out.set_payload(t.payload);
  out.set_queue(t.queue);
  out.set_priority(t.priority);
  if (t.timeout > duration{0}) write_length(*out.mutable_timeout(), t.timeout);
  out.set_max_attempts(t.max_attempts);
  write_length(*out.mutable_retry()->mutable_initial(), t.retry.initial);
  out.mutable_retry()->set_factor(t.retry.factor);
  write_length(*out.mutable_retry()->mutable_max(), t.retry.max);
  out.mutable_retry()->set_jitter(t.retry.jitter);
  out.set_delivery(t.delivery == delivery_mode::at_most_once ? v1::DELIVERY_AT_MOST_ONCE : v1::DELIVERY_AT_LEAST_ONCE);
  out.set_concurrency_key(t.concurrency_key);
  for (const auto& [k, v] : t.labels) (*out.mutable_labels())[k] = v;
}

/// What write_template wrote; judged before it was sent.
task_spec template_of(const v1::TaskSpec& in) {
  task_spec t;
  t.kind = in.kind();
  t.payload = in.payload();
  t.queue = in.queue();
  t.priority = in.priority();
  t.timeout = in.has_timeout() ? read_duration(in.timeout()).value_or(duration{0}) : duration{0};
  t.max_attempts = in.max_attempts();
  t.retry = {read_duration(in.retry().initial()).value_or(duration{0}), in.retry().factor(), read_duration(in.retry().max()).value_or(duration{0}),
             in.retry().jitter()};
  t.delivery = in.delivery() == v1::DELIVERY_AT_MOST_ONCE ? delivery_mode::at_most_once : delivery_mode::at_least_once;
  t.concurrency_key = in.concurrency_key();
  for (const auto& [k, v] : in.labels()) t.labels[k] = v;
  return t;
}

std::int64_t us(timestamp t) { return t.time_since_epoch().count(); }
timestamp at(std::int64_t since) { return timestamp(duration(since)); }

void put_record(const schedule_record& r, v1::StoredSchedule& out) {
  out.set_name(r.spec.name);
  out.set_definition(definition_json(r.spec));
  write_template(*out.mutable_task(), r.spec.task);
  out.set_task_options(to_json(r.spec.task.options));
  out.set_version(r.version);
  out.set_paused(r.state.paused);
  if (r.state.next_at) out.set_next_at_us(us(*r.state.next_at));
  if (r.state.last_at) out.set_last_at_us(us(*r.state.last_at));
  if (r.state.buffered) out.set_buffered_at_us(us(*r.state.buffered));
  out.set_created_at_us(us(r.created_at));
  out.set_updated_at_us(us(r.updated_at));
  out.set_tzdata(r.tzdata);
  out.set_step(r.state.step);
}

expected<schedule_record> record_of(const v1::StoredSchedule& in) {
  auto spec = parse_definition(in.definition());
  if (!spec) return spec.failure();
  schedule_record r;
  r.spec = std::move(*spec);
  r.spec.name = in.name();
  r.spec.task = template_of(in.task());
  if (!in.task_options().empty()) {
    auto options = parse_options(in.task_options());
    if (!options) return options.failure();
    r.spec.task.options = *options;
  }
  r.version = in.version();
  r.state.paused = in.paused();
  if (in.has_next_at_us()) r.state.next_at = at(in.next_at_us());
  if (in.has_last_at_us()) r.state.last_at = at(in.last_at_us());
  if (in.has_buffered_at_us()) r.state.buffered = at(in.buffered_at_us());
  r.state.step = in.step();
  r.created_at = at(in.created_at_us());
  r.updated_at = at(in.updated_at_us());
  r.tzdata = in.tzdata();
  return r;
}

} // namespace

void write_instant(google::protobuf::Timestamp& out, timestamp t) {
  const auto whole = std::chrono::floor<seconds>(t);
  out.set_seconds(whole.time_since_epoch().count());
  out.set_nanos(static_cast<std::int32_t>((t - whole).count() * 1000));
}

expected<schedule_command> read_put(const v1::PutScheduleRequest& request, timestamp now) {
  const auto& in = request.spec();
  schedule_command c;
  auto& s = c.spec;
  std::vector<field_fault> faults;
  const auto time = [&](const char* field, bool given, const google::protobuf::Timestamp& t, std::optional<timestamp>& to) {
    if (given && !(to = read_instant(t))) faults.push_back({field, "is no instant of the years 0001 to 9999"});
  };
  const auto length = [&](const char* field, bool given, const google::protobuf::Duration& d, std::optional<duration>& to) {
    if (given && !(to = read_duration(d))) faults.push_back({field, "is no length of time: it has to be 0 to 100 years, with nanoseconds that fit"});
  };
  c.name = s.name = in.name();
  if (in.has_cron()) s.when.cron = in.cron();
  if (in.has_rrule()) s.when.rrule = in.rrule();
  length("/every", in.has_every(), in.every(), s.when.every);
  time("/anchor", in.has_anchor(), in.anchor(), s.when.anchor);
  if (!in.timezone().empty()) s.when.timezone = in.timezone();
  std::optional<duration> jitter;
  length("/jitter", in.has_jitter(), in.jitter(), jitter);
  s.jitter = jitter.value_or(duration(0));
  time("/starts_at", in.has_starts_at(), in.starts_at(), s.when.starts_at);
  time("/ends_at", in.has_ends_at(), in.ends_at(), s.when.ends_at);
  length("/misfire_window", in.has_misfire_window(), in.misfire_window(), s.misfire_window);
  if (!v1::OverlapPolicy_IsValid(in.overlap())) faults.push_back({"/overlap", "is a value that this release does not know"});
  else if (in.overlap() != v1::OVERLAP_UNSPECIFIED) s.overlap = static_cast<overlap_policy>(static_cast<int>(in.overlap()) - 1);
  if (!v1::MisfirePolicy_IsValid(in.misfire())) faults.push_back({"/misfire", "is a value that this release does not know"});
  else if (in.misfire() != v1::MISFIRE_UNSPECIFIED) s.misfire = static_cast<misfire_policy>(static_cast<int>(in.misfire()) - 1);
  s.when.gap_shift = !in.dst_gap_skip();
  s.when.overlap_both = in.dst_overlap_both();
  if (request.has_paused()) c.paused = request.paused();
  auto task = read_task(in.task(), now);
  if (task) s.task = std::move(*task);
  else
    for (const auto& f : task.failure().faults) faults.push_back({"/task" + f.field, f.detail});
  const auto broken = validate(s, now);
  if (faults.empty() && broken) return *broken;
  if (faults.empty()) return c;
  if (broken)
    for (const auto& f : broken->faults)
      if (!f.field.starts_with("/task") && std::none_of(faults.begin(), faults.end(), [&](const auto& told) { return told.field == f.field; })) faults.push_back(f);
  return error(ec::invalid_argument, "The schedule has a fault, or several; `errors` names the fields.", std::move(faults));
}

expected<schedule_command> read_backfill(const v1::BackfillScheduleRequest& in, timestamp now) {
  schedule_command c;
  c.what = schedule_command::verb::backfill;
  c.name = in.name();
  c.beside_unfinished = in.allow_overlap();
  const auto from = in.has_from() ? read_instant(in.from()) : std::nullopt, until = in.has_until() ? read_instant(in.until()) : std::nullopt;
  std::vector<field_fault> faults;
  if (!from) faults.push_back({"/from", "has to be an instant; both ends of the range count"});
  if (!until) faults.push_back({"/until", "has to be an instant; both ends of the range count"});
  if (from && until && *until < *from) faults.push_back({"/until", "is before `from`"});
  if (until && *until > now) faults.push_back({"/until", "has not come yet; what is to come fires by itself"});
  if (!faults.empty()) return error(ec::invalid_argument, "The range cannot be filled; `errors` names the fields.", std::move(faults));
  c.from = *from;
  c.until = *until;
  return c;
}

void write_schedule(v1::Schedule& out, const schedule_record& r) {
  auto& spec = *out.mutable_spec();
  const auto& s = r.spec;
  const auto& w = s.when;
  spec.set_name(s.name);
  if (w.cron) spec.set_cron(*w.cron);
  if (w.every) write_length(*spec.mutable_every(), *w.every);
  if (w.rrule) spec.set_rrule(*w.rrule);
  if (w.anchor) write_instant(*spec.mutable_anchor(), *w.anchor);
  spec.set_timezone(w.timezone);
  if (s.jitter > duration(0)) write_length(*spec.mutable_jitter(), s.jitter);
  if (w.starts_at) write_instant(*spec.mutable_starts_at(), *w.starts_at);
  if (w.ends_at) write_instant(*spec.mutable_ends_at(), *w.ends_at);
  spec.set_overlap(static_cast<v1::OverlapPolicy>(static_cast<int>(s.overlap) + 1));
  spec.set_misfire(static_cast<v1::MisfirePolicy>(static_cast<int>(s.misfire) + 1));
  if (s.misfire_window) write_length(*spec.mutable_misfire_window(), *s.misfire_window);
  spec.set_dst_gap_skip(!w.gap_shift);
  spec.set_dst_overlap_both(w.overlap_both);
  write_template(*spec.mutable_task(), s.task);
  out.set_version(r.version);
  out.set_paused(r.state.paused);
  if (r.state.next_at) write_instant(*out.mutable_next_at(), *r.state.next_at);
  if (r.state.last_at) write_instant(*out.mutable_last_at(), *r.state.last_at);
  if (r.state.buffered) write_instant(*out.mutable_buffered_at(), *r.state.buffered);
  write_instant(*out.mutable_created_at(), r.created_at);
  write_instant(*out.mutable_updated_at(), r.updated_at);
  out.set_tzdata(r.tzdata);
  for (const auto& w : warnings_of(r)) out.add_warnings(w);
}
static_assert(static_cast<int>(v1::OVERLAP_CANCEL_RUNNING) == static_cast<int>(overlap_policy::cancel_running) + 1);
static_assert(static_cast<int>(v1::MISFIRE_ALL) == static_cast<int>(misfire_policy::all) + 1);

void write_unfired(v1::Unfired& out, const ledger_row& row) {
  write_instant(*out.mutable_instant(), row.what.from);
  write_instant(*out.mutable_until(), row.what.until);
  out.set_count(row.what.count);
  out.set_reason(row.what.reason);
  write_instant(*out.mutable_decided_at(), row.decided_at);
}

v1::ScheduleOrder order_of(const schedule_command& c) {
  v1::ScheduleOrder out;
  out.set_verb(static_cast<std::int32_t>(c.what));
  out.set_name(c.name);
  if (c.what == schedule_command::verb::put) {
    schedule_record r;
    r.spec = c.spec;
    put_record(r, *out.mutable_schedule());
  }
  if (c.paused) out.set_paused(*c.paused);
  out.set_from_us(us(c.from));
  out.set_until_us(us(c.until));
  out.set_beside_unfinished(c.beside_unfinished);
  return out;
}

expected<schedule_command> command_of(const v1::ScheduleOrder& in) {
  if (in.verb() < 0 || in.verb() > static_cast<int>(schedule_command::verb::backfill))
    return error(ec::incompatible, "This coordinator is older than the scheduler and does not know what it is asked for; upgrade it.");
  schedule_command c;
  c.what = static_cast<schedule_command::verb>(in.verb());
  c.name = in.name();
  if (c.what == schedule_command::verb::put) {
    auto r = record_of(in.schedule());
    if (!r) return r.failure();
    c.spec = std::move(r->spec);
  }
  if (in.has_paused()) c.paused = in.paused();
  c.from = at(in.from_us());
  c.until = at(in.until_us());
  c.beside_unfinished = in.beside_unfinished();
  return c;
}

void put_outcome(const schedule_outcome& o, v1::ScheduleOrderAnswer& out) {
  put_record(o.schedule, *out.mutable_schedule());
  out.set_created(o.created);
  const bool one = o.tasks.size() == 1;
  for (const auto& t : o.tasks) { // of a backfill they are only counted
    auto plain = t;
    if (!one) plain.payload = nullptr;
    put_task(plain, out.add_tasks());
  }
  out.set_matched(o.matched);
}

expected<schedule_outcome> outcome_of(const v1::ScheduleOrderAnswer& in) {
  auto r = record_of(in.schedule());
  if (!r) return r.failure();
  schedule_outcome o;
  o.schedule = std::move(*r);
  o.created = in.created();
  for (const auto& t : in.tasks()) o.tasks.push_back(task_of(t));
  o.matched = in.matched();
  return o;
}

} // namespace taskmaster
