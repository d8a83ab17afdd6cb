#include "gateway/session_proto.hpp"

namespace taskmaster {
namespace {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

uuid id_of(const std::string& text) { return uuid::parse(text).value_or(uuid{}); }

fence fence_of(const v1::Fence& f) { return {f.term(), f.sequence()}; }

void put_fence(const fence& f, v1::Fence* out) {
  out->set_term(f.term);
  out->set_sequence(f.sequence);
}

/// For whoever runs the task; nobody reads the text on the way back.
void put_fence_with_text(const fence& f, v1::Fence* out) {
  put_fence(f, out);
  out->set_text(f.str());
}

duration duration_of(const google::protobuf::Duration& d) {
  return std::chrono::seconds(d.seconds()) + std::chrono::microseconds(d.nanos() / 1'000);
}

void put_duration(duration d, google::protobuf::Duration* out) {
  out->set_seconds(d.count() / 1'000'000);
  out->set_nanos(static_cast<std::int32_t>(d.count() % 1'000'000 * 1'000));
}

std::shared_ptr<const std::string> text_of(const std::string& text) {
  return text.empty() ? nullptr : std::make_shared<const std::string>(text);
}

signed_claim claim_of(const v1::Held& h) {
  return {{id_of(h.task_id()), h.attempt(), h.losses(), fence_of(h.fence())}, h.fence().signature()};
}

void put_claim(const claim& c, v1::Held* out) {
  out->set_task_id(c.task.str());
  out->set_attempt(c.attempt);
  out->set_losses(c.losses);
  put_fence(c.fence, out->mutable_fence());
}

std::vector<std::string> strings(const google::protobuf::RepeatedPtrField<std::string>& in) { return {in.begin(), in.end()}; }

/// Whatever a worker says: not before the task was given, which the plan sees to, nor so long that times run over.
duration lasted(std::int64_t us) { return duration(std::clamp<std::int64_t>(us, 0, duration(std::chrono::hours(24 * 366)).count())); }

run_result result_of(const v1::FinishedTask& t) {
  run_result r;
  r.what = {{id_of(t.task_id()), t.attempt(), t.losses(), fence_of(t.fence())}, t.fence().signature()};
  switch (t.outcome()) {
  case v1::OUTCOME_SUCCEEDED: r.outcome = run_outcome::succeeded; break;
  case v1::OUTCOME_REFUSED: r.outcome = run_outcome::refused; break;
  case v1::OUTCOME_DEFERRED: r.outcome = run_outcome::deferred; break;
  case v1::OUTCOME_CANCELLED: r.outcome = run_outcome::cancelled; break;
  case v1::OUTCOME_TIMEOUT: r.outcome = run_outcome::timeout; break;
  case v1::OUTCOME_RETURNED: r.outcome = run_outcome::returned; break;
  default: r.outcome = run_outcome::failed; break; // also an outcome that only a newer worker knows
  }
  r.result = t.result();
  if (t.has_error()) r.failure = task_error{t.error().code(), t.error().message()};
  if (t.has_retry_after()) r.retry_after = duration_of(t.retry_after());
  r.checkpoint = text_of(t.checkpoint());
  r.began_ago = lasted(t.began_ago_us());
  return r;
}

void put_result(const run_result& r, v1::FinishedTask* out) {
  out->set_task_id(r.what.what.task.str());
  out->set_attempt(r.what.what.attempt);
  out->set_losses(r.what.what.losses);
  put_fence(r.what.what.fence, out->mutable_fence());
  out->mutable_fence()->set_signature(r.what.signature);
  out->set_outcome(static_cast<v1::Outcome>(r.outcome));
  out->set_result(r.result);
  if (r.failure) {
    out->mutable_error()->set_code(r.failure->code);
    out->mutable_error()->set_message(r.failure->message);
  }
  if (r.retry_after) put_duration(*r.retry_after, out->mutable_retry_after());
  if (r.checkpoint) out->set_checkpoint(*r.checkpoint);
  out->set_began_ago_us(r.began_ago.count());
}

static_assert(static_cast<int>(run_outcome::succeeded) == v1::OUTCOME_SUCCEEDED &&
              static_cast<int>(run_outcome::returned) == v1::OUTCOME_RETURNED && static_cast<int>(run_outcome::timeout) == v1::OUTCOME_TIMEOUT);

} // namespace

std::optional<from_worker> read(const v1::FromWorker& in) {
  switch (in.message_case()) {
  case v1::FromWorker::kHello: {
    const auto& m = in.hello();
    hello h;
    h.protocol = m.protocol();
    h.name = m.name();
    h.incarnation = m.incarnation();
    h.queues = strings(m.queues());
    h.kinds = strings(m.kinds());
    h.slots = m.slots();
    h.credit = m.credit();
    for (const auto& held : m.held()) h.held.push_back(claim_of(held));
    h.highest_term = m.highest_term();
    return h;
  }
  case v1::FromWorker::kHeartbeat: {
    heartbeat h{in.heartbeat().sequence(), {}};
    for (const auto& p : in.heartbeat().progress()) h.progress.push_back({id_of(p.task_id()), fence_of(p.fence()), p.json(), text_of(p.checkpoint())});
    return h;
  }
  case v1::FromWorker::kCredit: return more_credit{in.credit().more()};
  case v1::FromWorker::kStarted: {
    started_tasks s;
    for (const auto& t : in.started().tasks()) s.tasks.push_back({id_of(t.task_id()), fence_of(t.fence()), lasted(t.ago_us())});
    return s;
  }
  case v1::FromWorker::kFinished: {
    finished_tasks f;
    f.credit = in.finished().more_credit();
    for (const auto& t : in.finished().tasks()) f.results.push_back(result_of(t));
    return f;
  }
  case v1::FromWorker::kDraining: return draining{};
  case v1::FromWorker::MESSAGE_NOT_SET: break;
  }
  return {};
}

v1::FromWorker write(const from_worker& in) {
  v1::FromWorker out;
  std::visit(
      overloaded{
          [&](const hello& h) {
            auto* m = out.mutable_hello();
            m->set_protocol(h.protocol);
            m->set_name(h.name);
            m->set_incarnation(h.incarnation);
            for (const auto& q : h.queues) m->add_queues(q);
            for (const auto& k : h.kinds) m->add_kinds(k);
            m->set_slots(h.slots);
            m->set_credit(h.credit);
            for (const auto& c : h.held) {
              auto* held = m->add_held();
              put_claim(c.what, held);
              held->mutable_fence()->set_signature(c.signature);
            }
            m->set_highest_term(h.highest_term);
          },
          [&](const heartbeat& h) {
            auto* m = out.mutable_heartbeat();
            m->set_sequence(h.sequence);
            for (const auto& p : h.progress) {
              auto* to = m->add_progress();
              to->set_task_id(p.task.str());
              put_fence(p.fence, to->mutable_fence());
              to->set_json(p.json);
              if (p.checkpoint) to->set_checkpoint(*p.checkpoint);
            }
          },
          [&](const more_credit& c) { out.mutable_credit()->set_more(c.more); },
          [&](const started_tasks& s) {
            auto* m = out.mutable_started();
            for (const auto& t : s.tasks) {
              auto* to = m->add_tasks();
              to->set_task_id(t.task.str());
              put_fence(t.fence, to->mutable_fence());
              to->set_ago_us(t.ago.count());
            }
          },
          [&](const finished_tasks& f) {
            auto* m = out.mutable_finished();
            for (const auto& r : f.results) put_result(r, m->add_tasks());
            m->set_more_credit(f.credit);
          },
          [&](const draining&) { out.mutable_draining(); },
      },
      in);
  return out;
}

std::optional<to_worker> read(const v1::ToWorker& in) {
  switch (in.message_case()) {
  case v1::ToWorker::kWelcome: {
    const auto& m = in.welcome();
    welcome w;
    w.term = m.term();
    w.session = m.session_id();
    w.heartbeat_interval = duration_of(m.heartbeat_interval());
    w.lease = duration_of(m.lease());
    for (const auto& c : m.keep()) w.keep.push_back(claim_of(c).what);
    for (const auto& c : m.drop()) w.drop.push_back(claim_of(c).what);
    w.reads_joined = m.reads_joined();
    return w;
  }
  case v1::ToWorker::kRefused: return refused{in.refused().code(), in.refused().message(), in.refused().leader()};
  case v1::ToWorker::kHeartbeat: {
    heartbeat_answer a{in.heartbeat().sequence(), {}};
    for (const auto& f : in.heartbeat().faults()) a.faults.push_back({id_of(f.task_id()), f.message()});
    return a;
  }
  case v1::ToWorker::kAssign: {
    assign a;
    for (const auto& t : in.assign().tasks()) {
      assignment to;
      to.what = {{id_of(t.task_id()), t.attempt(), t.losses(), fence_of(t.fence())}, t.fence().signature()};
      to.kind = t.kind();
      to.queue = t.queue();
      to.payload = std::make_shared<const std::string>(t.payload());
      to.timeout = duration_of(t.timeout());
      to.run_at = timestamp(std::chrono::seconds(t.run_at().seconds()) + std::chrono::microseconds(t.run_at().nanos() / 1'000));
      to.delivery = t.at_most_once() ? delivery_mode::at_most_once : delivery_mode::at_least_once;
      to.checkpoint = text_of(t.checkpoint());
      to.heartbeat_timeout = duration_of(t.heartbeat_timeout());
      a.tasks.push_back(std::move(to));
    }
    return a;
  }
  case v1::ToWorker::kCancel: return cancel_run{id_of(in.cancel().task_id()), fence_of(in.cancel().fence()), in.cancel().reason()};
  case v1::ToWorker::kAcknowledged: {
    acknowledged a;
    for (const auto& t : in.acknowledged().tasks())
      a.tasks.push_back({id_of(t.task_id()), fence_of(t.fence()), t.stale(), t.term()});
    return a;
  }
  case v1::ToWorker::kDrain: return drain_worker{in.drain().reason()};
  case v1::ToWorker::MESSAGE_NOT_SET: break;
  }
  return {};
}

v1::ToWorker write(const to_worker& in) {
  v1::ToWorker out;
  std::visit(
      overloaded{
          [&](const welcome& w) {
            auto* m = out.mutable_welcome();
            m->set_term(w.term);
            m->set_session_id(w.session);
            put_duration(w.heartbeat_interval, m->mutable_heartbeat_interval());
            put_duration(w.lease, m->mutable_lease());
            for (const auto& c : w.keep) put_claim(c, m->add_keep());
            for (const auto& c : w.drop) put_claim(c, m->add_drop());
            m->set_reads_joined(w.reads_joined);
          },
          [&](const refused& r) {
            auto* m = out.mutable_refused();
            m->set_code(r.code);
            m->set_message(r.message);
            m->set_leader(r.leader);
          },
          [&](const heartbeat_answer& h) {
            auto* m = out.mutable_heartbeat();
            m->set_sequence(h.sequence);
            for (const auto& f : h.faults) {
              auto* to = m->add_faults();
              to->set_task_id(f.task.str());
              to->set_message(f.message);
            }
          },
          [&](const assign& a) {
            auto* m = out.mutable_assign();
            for (const auto& t : a.tasks) {
              auto* to = m->add_tasks();
              to->set_task_id(t.what.what.task.str());
              to->set_kind(t.kind);
              to->set_queue(t.queue);
              if (t.payload) to->set_payload(*t.payload);
              to->set_attempt(t.what.what.attempt);
              to->set_losses(t.what.what.losses);
              put_fence_with_text(t.what.what.fence, to->mutable_fence());
              to->mutable_fence()->set_signature(t.what.signature);
              if (t.timeout.count()) put_duration(t.timeout, to->mutable_timeout());
              const auto since = t.run_at.time_since_epoch().count();
              to->mutable_run_at()->set_seconds(since / 1'000'000);
              to->mutable_run_at()->set_nanos(static_cast<std::int32_t>(since % 1'000'000 * 1'000));
              to->set_at_most_once(t.delivery == delivery_mode::at_most_once);
              if (t.checkpoint) to->set_checkpoint(*t.checkpoint);
              if (t.heartbeat_timeout.count()) put_duration(t.heartbeat_timeout, to->mutable_heartbeat_timeout());
            }
          },
          [&](const cancel_run& c) {
            auto* m = out.mutable_cancel();
            m->set_task_id(c.task.str());
            put_fence_with_text(c.fence, m->mutable_fence());
            m->set_reason(c.reason);
          },
          [&](const acknowledged& a) {
            auto* m = out.mutable_acknowledged();
            for (const auto& t : a.tasks) {
              auto* to = m->add_tasks();
              to->set_task_id(t.task.str());
              put_fence_with_text(t.fence, to->mutable_fence());
              to->set_stale(t.stale);
              to->set_term(t.term);
            }
          },
          [&](const drain_worker& d) { out.mutable_drain()->set_reason(d.reason); },
      },
      in);
  return out;
}

} // namespace taskmaster
