#include "gateway/task_proto.hpp"

#include "gateway/json_door.hpp"
#include "gateway/json_view.hpp"
#include "gateway/task_json.hpp"
#include "schema/graph.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

using seconds = std::chrono::seconds;
constexpr std::int64_t first_second = -62'135'596'800, last_second = 253'402'300'799; // the years 0001 to 9999
constexpr std::int64_t duration_limit = 100LL * 366 * 86'400;

std::optional<timestamp> read_time(const google::protobuf::Timestamp& t) {
  if (t.nanos() < 0 || t.nanos() > 999'999'999 || t.seconds() < first_second || t.seconds() > last_second) return std::nullopt;
  return timestamp(seconds(t.seconds()) + duration(t.nanos() / 1000));
}

void write_time(google::protobuf::Timestamp& out, timestamp t) {
  const auto whole = std::chrono::floor<seconds>(t);
  out.set_seconds(whole.time_since_epoch().count());
  out.set_nanos(static_cast<std::int32_t>((t - whole).count() * 1000));
}

void write_duration(google::protobuf::Duration& out, duration d) {
  out.set_seconds(d.count() / 1'000'000);
  out.set_nanos(static_cast<std::int32_t>(d.count() % 1'000'000 * 1000));
}

void write_fence(v1::Fence& out, const fence& f) {
  out.set_term(f.term);
  out.set_sequence(f.sequence);
  out.set_text(f.str());
}

v1::State state_to_proto(task_state s) { return static_cast<v1::State>(static_cast<int>(s) + 1); }
static_assert(static_cast<int>(v1::STATE_SCHEDULED) == static_cast<int>(task_state::scheduled) + 1);
static_assert(static_cast<int>(v1::STATE_EXPIRED) == static_cast<int>(task_state::expired) + 1);

constexpr char bad_time[] = "is no instant of the years 0001 to 9999 with 0 to 999,999,999 nanoseconds";
constexpr char bad_length[] = "is no length of time: it has to be 0 to 100 years, with nanoseconds that fit";

void read_payload(const std::string& text, task_spec& out, std::vector<field_fault>& faults) {
  if (text.empty()) return; // null
  if (text.size() > 2 * limits::payload_bytes) { // far over the limit with any white space: `validate` says so without a parse
    out.payload = text;
    return;
  }
  if (auto broken = check_json(text)) {
    if (broken->faults.empty())
      faults.push_back({"/payload", broken->message});
    else
      for (auto& f : broken->faults) faults.push_back({"/payload" + f.field, std::move(f.detail)});
    return;
  }
  out.payload = compact_json(text);
}

} // namespace

std::optional<duration> read_duration(const google::protobuf::Duration& d) {
  if (d.seconds() < 0 || d.seconds() > duration_limit || d.nanos() < 0 || d.nanos() > 999'999'999) return std::nullopt;
  return seconds(d.seconds()) + duration(d.nanos() / 1000);
}

namespace {

void read_unique(const v1::UniqueKey& in, task_spec& out, std::vector<field_fault>& faults) {
  if (!out.unique_key.empty() && out.unique_key != in.key()) faults.push_back({"/unique", "stands beside unique_key, which is short for it; give one of the two"});
  if (in.key().empty()) faults.push_back({"/unique/key", "is missing; it is what tasks are unique by"});
  out.unique_key = in.key();
  if (!v1::UniqueScope_IsValid(in.scope())) faults.push_back({"/unique/scope", "is a value that this release does not know"});
  else out.options.scope = static_cast<unique_scope>(std::max(0, static_cast<int>(in.scope()) - 1));
  if (!v1::UniquePolicy_IsValid(in.policy())) faults.push_back({"/unique/policy", "is a value that this release does not know"});
  else out.options.policy = static_cast<unique_policy>(std::max(0, static_cast<int>(in.policy()) - 1));
  if (!in.has_period()) return;
  const auto d = read_duration(in.period());
  d ? void(out.options.unique_period = *d) : faults.push_back({"/unique/period", bad_length});
}
static_assert(static_cast<int>(v1::UNIQUE_SCOPE_FOR_PERIOD) == static_cast<int>(unique_scope::for_period) + 1);
static_assert(static_cast<int>(v1::UNIQUE_POLICY_REFUSE) == static_cast<int>(unique_policy::refuse) + 1);

void read_after(const v1::TaskSpec& in, task_spec& out, std::vector<field_fault>& faults) {
  for (const auto& a : in.after()) {
    const auto at = "/after/" + std::to_string(out.after.size());
    auto& to = out.after.emplace_back();
    to.task = a.task();
    to.group = a.group();
    if (!v1::After_On_IsValid(a.on())) faults.push_back({at + "/on", "is a value that this release does not know"});
    else if (a.on() == v1::After_On_ON_FINISHED) to.on = awaited_end::finished;
    if (!v1::After_Else_IsValid(a.otherwise())) faults.push_back({at + "/otherwise", "is a value that this release does not know"});
    else if (a.otherwise() != v1::After_Else_ELSE_UNSPECIFIED) to.otherwise = static_cast<otherwise_do>(static_cast<int>(a.otherwise()) - 1);
  }
}
static_assert(static_cast<int>(v1::After_Else_ELSE_RUN) == static_cast<int>(otherwise_do::run) + 1);

/// The fields alone; the rules are `validate`'s.
task_spec read_fields(const v1::TaskSpec& in, std::vector<field_fault>& faults) {
  task_spec out;
  const auto time = [&](const char* field, bool given, const google::protobuf::Timestamp& t, auto& to) {
    if (!given) return;
    if (const auto v = read_time(t))
      to = *v;
    else
      faults.push_back({field, bad_time});
  };
  const auto length = [&](const char* field, bool given, const google::protobuf::Duration& d, auto& to) {
    if (!given) return;
    if (const auto v = read_duration(d))
      to = *v;
    else
      faults.push_back({field, bad_length});
  };
  out.kind = in.kind();
  read_payload(in.payload(), out, faults);
  if (!in.queue().empty()) out.queue = in.queue();
  time("/run_at", in.has_run_at(), in.run_at(), out.run_at);
  length("/delay", in.has_delay(), in.delay(), out.delay);
  out.priority = in.priority();
  length("/timeout", in.has_timeout(), in.timeout(), out.timeout);
  time("/expires_at", in.has_expires_at(), in.expires_at(), out.expires_at);
  if (in.max_attempts() != 0) out.max_attempts = in.max_attempts();
  if (in.has_retry()) {
    const auto& r = in.retry();
    length("/retry/initial", r.has_initial(), r.initial(), out.retry.initial);
    length("/retry/max", r.has_max(), r.max(), out.retry.max);
    if (r.factor() != 0) out.retry.factor = r.factor();
    if (r.has_jitter()) out.retry.jitter = r.jitter();
  }
  switch (in.delivery()) {
  case v1::DELIVERY_UNSPECIFIED:
  case v1::DELIVERY_AT_LEAST_ONCE: break;
  case v1::DELIVERY_AT_MOST_ONCE: out.delivery = delivery_mode::at_most_once; break;
  default: faults.push_back({"/delivery", "is a value that this release does not know"});
  }
  out.unique_key = in.unique_key();
  out.concurrency_key = in.concurrency_key();
  out.idempotency_key = in.idempotency_key();
  for (const auto& [k, v] : in.labels()) out.labels[k] = v;
  length("/heartbeat_timeout", in.has_heartbeat_timeout(), in.heartbeat_timeout(), out.options.heartbeat_timeout);
  if (in.has_unique()) read_unique(in.unique(), out, faults);
  out.options.ref = in.ref();
  out.options.group = in.group();
  out.options.webhook = in.webhook();
  read_after(in, out, faults);
  return out;
}

} // namespace

expected<task_spec> read_task(const v1::TaskSpec& in, timestamp now, task_spec* seen) {
  std::vector<field_fault> faults;
  auto out = read_fields(in, faults);
  auto broken = validate(out, now);
  if (seen) {
    seen->options = out.options;
    seen->after = out.after;
  }
  return judge_read(std::move(out), std::move(faults), std::move(broken));
}

expected<task_edit> read_edit(const v1::UpdateRequest& in, timestamp now) {
  std::vector<field_fault> faults;
  task_edit edit;
  edit.to = read_fields(in.task(), faults);
  for (const auto& path : in.update_mask().paths()) {
    if (path == "retry") edit.fields.insert({"retry.initial", "retry.factor", "retry.max", "retry.jitter"});
    else if (may_be_edited(path)) edit.fields.insert(path);
    else faults.push_back({"/update_mask", "names \"" + path.substr(0, 80) + "\", which cannot be changed; these can: " + editable_fields});
  }
  if (edit.fields.contains("run_at") && !edit.to.run_at) faults.push_back({"/task/run_at", "is not set; a delay of zero makes it due at once"});
  auto broken = edit.fields.empty() && !faults.empty() ? std::nullopt : validate(edit, now);
  auto judged = judge_read(edit.to, std::move(faults), std::move(broken));
  if (!judged) return std::move(judged.failure());
  return edit;
}


expected<task_filter> read_filter(const v1::ListRequest& in) {
  task_filter out;
  std::vector<field_fault> faults;
  if (!in.queue().empty() && !valid_name(in.queue())) faults.push_back({"/queue", "has to match [a-z0-9_.-]{1,64}"});
  if (!in.kind().empty() && !valid_name(in.kind())) faults.push_back({"/kind", "has to match [a-z0-9_.-]{1,64}"});
  if (!in.group().empty() && !valid_ref(in.group())) faults.push_back({"/group", "has to be 1 to 64 characters out of letters, digits and '_', '.', ':', '/', '-'"});
  out.queue = in.queue();
  out.kind = in.kind();
  out.group = in.group();
  if (!v1::State_IsValid(in.state()))
    faults.push_back({"/state", "is a value that this release does not know"});
  else if (in.state() != v1::STATE_UNSPECIFIED)
    out.state = static_cast<task_state>(static_cast<int>(in.state()) - 1);
  for (const auto& [k, v] : in.labels()) {
    if (k.empty() || k.find('\0') != std::string::npos || v.find('\0') != std::string::npos)
      faults.push_back({"/labels/" + pointer_token(k), "has an empty key, or holds a NUL character"});
    out.labels[k] = v;
  }
  if (in.limit() < 0 || static_cast<std::size_t>(in.limit()) > limits::page)
    faults.push_back({"/limit", "has to be 1 to " + std::to_string(limits::page) + ", or 0 for 100"});
  else if (in.limit() > 0)
    out.limit = static_cast<std::size_t>(in.limit());
  if (in.cursor().find('\0') != std::string::npos) faults.push_back({"/cursor", "is no cursor of this list"});
  out.cursor = in.cursor();
  if (!in.reason().empty() && !valid_name(in.reason())) faults.push_back({"/reason", "has to match [a-z0-9_.-]{1,64}"});
  out.reason = in.reason();
  if (faults.empty()) return out;
  return error(ec::invalid_argument, "The list cannot be asked for in this way.", std::move(faults));
}

expected<bulk_request> read_bulk(bulk_request::verb what, const v1::BulkRequest& in) {
  v1::ListRequest list;
  list.set_queue(in.filter().queue());
  list.set_kind(in.filter().kind());
  list.set_group(in.filter().group());
  list.set_state(in.filter().state());
  *list.mutable_labels() = in.filter().labels();
  list.set_reason(in.filter().reason());
  auto filter = read_filter(list);
  if (!filter) {
    auto e = filter.failure();
    e.message = "The bulk request cannot be read, and nothing was changed.";
    for (auto& f : e.faults) f.field = "/filter" + f.field;
    return e;
  }
  bulk_request out{what, std::move(*filter), in.dry_run()};
  if (in.has_rate()) {
    out.rate = rate_limit{in.rate().limit(), std::chrono::seconds(1), 1};
    const auto period = in.rate().has_period() ? read_duration(in.rate().period()) : out.rate->period;
    if (!period) return error(ec::invalid_argument, "The bulk request cannot be read, and nothing was changed.", {{"/rate/period", bad_length}});
    out.rate->period = *period;
  }
  if (auto e = judge_bulk(out)) return std::move(*e);
  return out;
}

void write_task(v1::Task& out, const task_record& r) {
  const auto& t = r.task;
  out.set_id(t.id.str());
  auto& spec = *out.mutable_spec();
  spec.set_kind(t.kind);
  spec.set_payload(t.payload ? *t.payload : "null");
  spec.set_queue(t.queue);
  const auto& options = options_of(t.options);
  if (!waits(t)) write_time(*spec.mutable_run_at(), t.run_at);
  else if (options.due) write_time(*spec.mutable_run_at(), *options.due);
  spec.set_priority(t.priority);
  if (t.timeout > duration{0}) write_duration(*spec.mutable_timeout(), t.timeout);
  if (t.expires_at) write_time(*spec.mutable_expires_at(), *t.expires_at);
  spec.set_max_attempts(t.max_attempts);
  write_duration(*spec.mutable_retry()->mutable_initial(), t.retry.initial);
  spec.mutable_retry()->set_factor(t.retry.factor);
  write_duration(*spec.mutable_retry()->mutable_max(), t.retry.max);
  spec.mutable_retry()->set_jitter(t.retry.jitter);
  spec.set_delivery(t.delivery == delivery_mode::at_most_once ? v1::DELIVERY_AT_MOST_ONCE : v1::DELIVERY_AT_LEAST_ONCE);
  spec.set_unique_key(t.unique_key);
  if (options.scope != unique_scope{} || options.policy != unique_policy{}) {
    auto& unique = *spec.mutable_unique();
    unique.set_key(t.unique_key);
    unique.set_scope(static_cast<v1::UniqueScope>(static_cast<int>(options.scope) + 1));
    unique.set_policy(static_cast<v1::UniquePolicy>(static_cast<int>(options.policy) + 1));
    if (options.unique_period > duration{0}) write_duration(*unique.mutable_period(), options.unique_period);
  }
  spec.set_concurrency_key(t.concurrency_key);
  for (const auto& [k, v] : r.labels) (*spec.mutable_labels())[k] = v;
  out.set_state(state_to_proto(r.state));
  out.set_reason(r.reason);
  write_time(*out.mutable_created_at(), t.created_at);
  if (r.picked_at) write_time(*out.mutable_picked_at(), *r.picked_at);
  if (r.started_at) write_time(*out.mutable_started_at(), *r.started_at);
  if (r.finished_at) write_time(*out.mutable_finished_at(), *r.finished_at);
  if (const auto next = next_attempt_at(r)) write_time(*out.mutable_next_attempt_at(), *next);
  out.set_attempt(t.attempt);
  out.set_worker(r.worker);
  if (!r.fence.none()) write_fence(*out.mutable_fence(), r.fence);
  out.set_progress(r.progress);
  out.set_result(r.result);
  if (r.error) {
    out.mutable_error()->set_code(r.error->code);
    out.mutable_error()->set_message(r.error->message);
  }
  if (t.checkpoint) out.set_checkpoint(*t.checkpoint);
  out.set_deferrals(t.deferrals);
  if (options.heartbeat_timeout > duration{0}) write_duration(*spec.mutable_heartbeat_timeout(), options.heartbeat_timeout);
  spec.set_ref(options.ref);
  spec.set_group(options.group);
  spec.set_webhook(options.webhook);
  out.set_waits_for(r.waits_for);
  for (const auto& e : r.after) {
    auto& a = *spec.add_after();
    a.set_task(e.parent.str());
    a.set_on(e.on == awaited_end::finished ? v1::After_On_ON_FINISHED : v1::After_On_ON_SUCCEEDED);
    a.set_otherwise(static_cast<v1::After_Else>(static_cast<int>(e.otherwise) + 1));
  }
  out.set_schedule(options.schedule);
  if (options.scheduled_for) write_time(*out.mutable_scheduled_for(), *options.scheduled_for);
}

void write_attempt(v1::Attempt& out, const attempt_record& a) {
  out.set_attempt(a.attempt);
  if (!a.fence.none()) write_fence(*out.mutable_fence(), a.fence);
  out.set_worker(a.worker);
  if (a.picked_at) write_time(*out.mutable_picked_at(), *a.picked_at);
  if (a.started_at) write_time(*out.mutable_started_at(), *a.started_at);
  if (a.finished_at) write_time(*out.mutable_finished_at(), *a.finished_at);
  out.set_outcome(a.outcome);
  out.set_reason(a.reason);
  if (a.error) {
    out.mutable_error()->set_code(a.error->code);
    out.mutable_error()->set_message(a.error->message);
  }
}

void write_queue(v1::Queue& out, const queue_info& q) {
  out.set_name(q.counts.name);
  out.set_scheduled(q.counts.scheduled);
  out.set_ready(q.counts.ready);
  out.set_running(q.running);
  out.set_capped(q.counts.capped);
}

void write_worker(v1::Worker& out, const worker_info& w) {
  out.set_id(w.id);
  out.set_name(w.name);
  out.set_state(w.state);
  for (const auto& q : w.queues) out.add_queues(q);
  for (const auto& k : w.kinds) out.add_kinds(k);
  out.set_slots(w.slots);
  out.set_credit(w.credit);
  for (const auto& id : w.tasks) out.add_tasks(id.str());
  write_time(*out.mutable_connected_at(), w.connected_at);
}

void write_error(v1::RowError& out, const error& e) {
  out.set_code(std::string(to_string(e.code)));
  out.set_message(e.message);
  for (const auto& f : e.faults) {
    auto& row = *out.add_errors();
    row.set_field(f.field);
    row.set_detail(f.detail);
  }
}

} // namespace taskmaster
