#include "gateway/plan_proto.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

std::int64_t us(timestamp t) { return t.time_since_epoch().count(); }
timestamp at(std::int64_t since) { return timestamp(duration(since)); }

} // namespace

std::string bytes_of(const uuid& id) { return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()}; }

uuid uuid_of(const std::string& bytes) {
  uuid id;
  if (bytes.size() == id.bytes.size()) std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(id.bytes.data()));
  return id;
}

void put_task(const task& t, v1::PlannedTask* out) {
  out->set_id(bytes_of(t.id));
  out->set_queue(t.queue);
  out->set_kind(t.kind);
  out->set_priority(t.priority);
  out->set_run_at_us(us(t.run_at));
  out->set_created_at_us(us(t.created_at));
  if (t.payload) out->set_payload(*t.payload);
  out->set_timeout_us(t.timeout.count());
  out->set_expires_at_us(t.expires_at ? us(*t.expires_at) : 0);
  out->set_max_attempts(t.max_attempts);
  out->set_retry_initial_us(t.retry.initial.count());
  out->set_retry_factor(t.retry.factor);
  out->set_retry_max_us(t.retry.max.count());
  out->set_retry_jitter(t.retry.jitter);
  out->set_at_most_once(t.delivery == delivery_mode::at_most_once);
  out->set_unique_key(t.unique_key);
  out->set_concurrency_key(t.concurrency_key);
  out->set_attempt(t.attempt);
  out->set_failures(t.failures);
  out->set_losses(t.losses);
  out->set_deferrals(t.deferrals);
  out->set_reason(t.reason);
  if (t.options) out->set_options(to_json(*t.options));
}

task task_of(const v1::PlannedTask& in) {
  task t;
  t.id = uuid_of(in.id());
  t.queue = in.queue();
  t.kind = in.kind();
  t.priority = in.priority();
  t.run_at = at(in.run_at_us());
  t.created_at = at(in.created_at_us());
  t.payload = std::make_shared<const std::string>(in.payload());
  t.timeout = duration(in.timeout_us());
  if (in.expires_at_us()) t.expires_at = at(in.expires_at_us());
  t.max_attempts = in.max_attempts();
  t.retry = {duration(in.retry_initial_us()), in.retry_factor(), duration(in.retry_max_us()), in.retry_jitter()};
  t.delivery = in.at_most_once() ? delivery_mode::at_most_once : delivery_mode::at_least_once;
  t.unique_key = in.unique_key();
  t.concurrency_key = in.concurrency_key();
  t.attempt = in.attempt();
  t.failures = in.failures();
  t.losses = in.losses();
  t.deferrals = in.deferrals();
  t.reason = in.reason();
  if (!in.options().empty())
    if (const auto options = parse_options(in.options())) t.options = share(*options);
  return t;
}

void put_edit(const edit_request& request, v1::EditTaskRequest& out) {
  const auto& spec = request.what.to;
  auto t = make_task({request.id, spec, ""});
  t.max_attempts = spec.max_attempts; // as asked: the leader knows the delivery
  if (spec.run_at) t.run_at = *spec.run_at;
  put_task(t, out.mutable_to());
  for (const auto& field : request.what.fields) out.add_fields(field);
  for (const auto& [k, v] : spec.labels) (*out.mutable_labels())[k] = v;
  out.set_delay_us(spec.delay.value_or(duration{0}).count());
}

edit_request edit_of(const v1::EditTaskRequest& in) {
  const auto t = task_of(in.to());
  edit_request out;
  out.id = t.id;
  out.what.fields.insert(in.fields().begin(), in.fields().end());
  auto& spec = out.what.to;
  spec.kind = t.kind;
  spec.queue = t.queue;
  spec.payload = *t.payload;
  spec.priority = t.priority;
  spec.timeout = t.timeout;
  spec.expires_at = t.expires_at;
  spec.max_attempts = t.max_attempts;
  spec.retry = t.retry;
  spec.delivery = t.delivery;
  spec.unique_key = t.unique_key;
  spec.concurrency_key = t.concurrency_key;
  spec.options = options_of(t.options);
  if (out.what.fields.contains("run_at")) spec.run_at = t.run_at;
  if (out.what.fields.contains("delay")) spec.delay = duration(in.delay_us());
  spec.labels.insert(in.labels().begin(), in.labels().end());
  return out;
}

void put_live(const live_task& t, v1::LiveTask* out) {
  out->set_id(bytes_of(t.id));
  out->set_worker(t.worker);
  out->mutable_fence()->set_term(t.fence.term);
  out->mutable_fence()->set_sequence(t.fence.sequence);
  out->set_attempt(t.attempt);
  out->set_picked_at_us(us(t.picked_at));
  out->set_started_at_us(t.started_at ? us(*t.started_at) : 0);
  out->set_progress(t.progress);
  out->set_queue(t.queue);
}

live_task live_of(const v1::LiveTask& in) {
  live_task t;
  t.id = uuid_of(in.id());
  t.queue = in.queue();
  t.worker = in.worker();
  t.fence = {in.fence().term(), in.fence().sequence()};
  t.attempt = in.attempt();
  t.picked_at = at(in.picked_at_us());
  if (in.started_at_us()) t.started_at = at(in.started_at_us());
  t.progress = in.progress();
  return t;
}

void put_worker_info(const worker_info& w, v1::Worker* out) {
  out->set_id(w.id);
  out->set_name(w.name);
  out->set_incarnation(w.incarnation);
  out->set_peer(w.peer);
  out->set_state(w.state);
  for (const auto& q : w.queues) out->add_queues(q);
  for (const auto& k : w.kinds) out->add_kinds(k);
  out->set_slots(w.slots);
  out->set_credit(w.credit);
  for (const auto& id : w.tasks) out->add_tasks(id.str());
  const auto since = us(w.connected_at);
  out->mutable_connected_at()->set_seconds(since / 1'000'000);
  out->mutable_connected_at()->set_nanos(static_cast<std::int32_t>(since % 1'000'000 * 1'000));
}

worker_info worker_info_of(const v1::Worker& in) {
  worker_info w;
  w.id = in.id();
  w.name = in.name();
  w.incarnation = in.incarnation();
  w.peer = in.peer();
  w.state = in.state();
  w.queues.assign(in.queues().begin(), in.queues().end());
  w.kinds.assign(in.kinds().begin(), in.kinds().end());
  w.slots = in.slots();
  w.credit = in.credit();
  for (const auto& id : in.tasks())
    if (const auto parsed = uuid::parse(id)) w.tasks.push_back(*parsed);
  w.connected_at = at(in.connected_at().seconds() * 1'000'000 + in.connected_at().nanos() / 1'000);
  return w;
}

} // namespace taskmaster
