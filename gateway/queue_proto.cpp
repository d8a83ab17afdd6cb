#include "gateway/queue_proto.hpp"

#include "gateway/task_proto.hpp"

namespace taskmaster {
namespace {

void write_rate(v1::Rate& out, const rate_limit& rate) {
  out.set_limit(rate.limit);
  out.set_burst(rate.burst);
  out.mutable_period()->set_seconds(rate.period.count() / 1'000'000);
  out.mutable_period()->set_nanos(static_cast<std::int32_t>(rate.period.count() % 1'000'000 * 1'000));
}

std::optional<rate_limit> read_rate(const v1::Rate& in) {
  rate_limit r;
  r.limit = in.limit();
  r.burst = in.burst() ? in.burst() : in.limit();
  if (in.has_period()) {
    const auto period = read_duration(in.period());
    if (!period) return std::nullopt;
    r.period = *period;
  }
  return r;
}

template <class Names>
std::set<std::string> set_of(const Names& names) {
  return {names.begin(), names.end()};
}

} // namespace

void write_change(v1::QueueChange& out, const queue_change& c) {
  out.set_name(c.name);
  for (const auto& field : c.reset) out.add_reset(field);
  if (c.paused) out.set_paused(*c.paused);
  if (c.concurrency) out.set_concurrency(*c.concurrency);
  if (c.rate) write_rate(*out.mutable_rate(), *c.rate);
  if (c.key_concurrency) out.set_key_concurrency(*c.key_concurrency);
  if (c.key_rate) write_rate(*out.mutable_key_rate(), *c.key_rate);
  if (c.weight) out.set_weight(*c.weight);
  // A whole set anew is a reset and what is in it.
  if (c.paused_kinds) out.add_reset("paused_kinds");
  if (c.paused_keys) out.add_reset("paused_keys");
  for (const auto* names : {c.paused_kinds ? &*c.paused_kinds : nullptr, &c.pause_kinds})
    if (names)
      for (const auto& n : *names) out.add_pause_kinds(n);
  for (const auto* names : {c.paused_keys ? &*c.paused_keys : nullptr, &c.pause_keys})
    if (names)
      for (const auto& n : *names) out.add_pause_keys(n);
  for (const auto& n : c.resume_kinds) out.add_resume_kinds(n);
  for (const auto& n : c.resume_keys) out.add_resume_keys(n);
}

expected<queue_change> read_change(const v1::QueueChange& in) {
  queue_change c;
  c.name = in.name();
  c.reset = set_of(in.reset());
  if (in.has_paused()) c.paused = in.paused();
  if (in.has_concurrency()) c.concurrency = in.concurrency();
  if (in.has_key_concurrency()) c.key_concurrency = in.key_concurrency();
  if (in.has_weight()) c.weight = in.weight();
  if (in.has_rate()) c.rate = read_rate(in.rate());
  if (in.has_key_rate()) c.key_rate = read_rate(in.key_rate());
  for (const auto& [given, read, field] :
       {std::tuple{in.has_rate(), c.rate.has_value(), "/rate/period"}, std::tuple{in.has_key_rate(), c.key_rate.has_value(), "/key_rate/period"}})
    if (given && !read) return error(ec::invalid_argument, "A rate's period is no length of time.", {{field, "has to be more than 0"}});
  c.pause_kinds = set_of(in.pause_kinds());
  c.pause_keys = set_of(in.pause_keys());
  c.resume_kinds = set_of(in.resume_kinds());
  c.resume_keys = set_of(in.resume_keys());
  return c;
}

void write_settings(v1::QueueSettings& out, const queue_settings& s) {
  out.set_paused(s.paused);
  if (s.concurrency) out.set_concurrency(*s.concurrency);
  if (s.rate) write_rate(*out.mutable_rate(), *s.rate);
  out.set_key_concurrency(s.key_concurrency);
  if (s.key_rate) write_rate(*out.mutable_key_rate(), *s.key_rate);
  out.set_weight(s.weight);
  for (const auto& n : s.paused_kinds) out.add_paused_kinds(n);
  for (const auto& n : s.paused_keys) out.add_paused_keys(n);
}

queue_settings read_settings(const v1::QueueSettings& in, const std::string& name) {
  queue_settings s;
  s.name = name;
  s.paused = in.paused();
  if (in.has_concurrency()) s.concurrency = in.concurrency();
  if (in.has_rate()) s.rate = read_rate(in.rate());
  s.key_concurrency = in.key_concurrency();
  if (in.has_key_rate()) s.key_rate = read_rate(in.key_rate());
  s.weight = in.weight();
  s.paused_kinds = set_of(in.paused_kinds());
  s.paused_keys = set_of(in.paused_keys());
  return s;
}

void write_queue_state(v1::QueueState& out, const queue_info& q) {
  write_queue(*out.mutable_counts(), q);
  write_settings(*out.mutable_settings(), q.settings);
}

void write_reasons(google::protobuf::RepeatedPtrField<v1::Reason>& out, const std::vector<task_reason>& reasons) {
  for (const auto& r : reasons) {
    auto& one = *out.Add();
    one.set_code(r.code);
    one.set_detail(r.detail);
    if (r.until) {
      const auto us = r.until->time_since_epoch().count();
      const auto seconds = us >= 0 ? us / 1'000'000 : -((-us + 999'999) / 1'000'000);
      one.mutable_until()->set_seconds(seconds);
      one.mutable_until()->set_nanos(static_cast<std::int32_t>((us - seconds * 1'000'000) * 1'000));
    }
    for (const auto& id : r.waits_for) one.add_waits_for(id.str());
  }
}

std::vector<task_reason> read_reasons(const google::protobuf::RepeatedPtrField<v1::Reason>& in) {
  std::vector<task_reason> out;
  for (const auto& one : in) {
    task_reason r{one.code(), one.detail(), {}, {}};
    if (one.has_until()) r.until = timestamp(duration(one.until().seconds() * 1'000'000 + one.until().nanos() / 1'000));
    for (const auto& text : one.waits_for())
      if (const auto id = uuid::parse(text)) r.waits_for.push_back(*id);
    out.push_back(std::move(r));
  }
  return out;
}

} // namespace taskmaster
