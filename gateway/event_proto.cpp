#include "gateway/event_proto.hpp"

#include "gateway/event_query.hpp"
#include "gateway/plan_proto.hpp"

#include <unordered_map>

namespace taskmaster {
namespace {

v1::State state_to_proto(task_state s) { return static_cast<v1::State>(static_cast<int>(s) + 1); }
task_state state_of(v1::State s) { return static_cast<task_state>(std::clamp(static_cast<int>(s) - 1, 0, 6)); }

} // namespace

void put_event_request(const event_request& what, duration wait, v1::EventsRequest* out) {
  out->set_from_now(!what.after);
  if (what.after) {
    out->set_term(what.after->term);
    out->set_sequence(what.after->sequence);
  }
  out->set_most(static_cast<std::int32_t>(what.most));
  out->mutable_wait()->set_seconds(wait.count() / 1'000'000);
  out->mutable_wait()->set_nanos(static_cast<std::int32_t>(wait.count() % 1'000'000 * 1'000));
}

event_request event_request_of(const v1::EventsRequest& in) {
  event_request out;
  if (!in.from_now()) out.after = event_id{in.term(), in.sequence()};
  out.most = static_cast<std::size_t>(std::max(1, in.most()));
  return out;
}

void put_event_page(const event_page& page, v1::EventsResponse* out) {
  out->set_gap(page.gap);
  out->set_term(page.next.term);
  out->set_from(page.from.sequence);
  out->set_next(page.next.sequence);
  out->set_end(page.end.sequence);
  std::unordered_map<const bucket_key*, std::uint32_t> known;
  for (const auto& e : page.events) {
    const auto [place, first] = known.try_emplace(e.where.get(), static_cast<std::uint32_t>(out->places_size()));
    if (first) {
      auto* p = out->add_places();
      p->set_queue(e.where->queue);
      p->set_kind(e.where->kind);
      p->set_priority(e.where->priority);
    }
    auto* o = out->add_events();
    o->set_id(bytes_of(e.task));
    o->set_state(state_to_proto(e.state));
    o->set_attempt(e.attempt);
    o->set_at_us(e.at.time_since_epoch().count());
    o->set_where(place->second);
  }
}

event_page event_page_of(const v1::EventsResponse& in) {
  event_page out;
  out.gap = in.gap();
  out.from = {in.term(), in.from()};
  out.next = {in.term(), in.next()};
  out.end = {in.term(), in.end()};
  std::vector<std::shared_ptr<const bucket_key>> places;
  for (const auto& p : in.places()) places.push_back(std::make_shared<const bucket_key>(bucket_key{p.queue(), p.kind(), p.priority()}));
  if (places.empty()) places.push_back(std::make_shared<const bucket_key>());
  auto sequence = in.from();
  for (const auto& e : in.events())
    out.events.push_back({{in.term(), ++sequence},
                          uuid_of(e.id()),
                          state_of(e.state()),
                          e.attempt(),
                          timestamp(duration(e.at_us())),
                          places[std::min<std::size_t>(e.where(), places.size() - 1)]});
  return out;
}

expected<event_request> read_watch(const v1::WatchRequest& in) {
  event_query q;
  for (const auto& name : in.queues()) q.queue("/queues", name);
  for (const auto& name : in.kinds()) q.kind("/kinds", name);
  for (const auto s : in.states()) {
    if (s < v1::STATE_SCHEDULED || s > v1::STATE_EXPIRED) q.fault("/states", "has to be one of the states that the enum names");
    else q.wanted.filter.states.insert(state_of(static_cast<v1::State>(s)));
  }
  for (const auto& id : in.task_ids()) q.task("/task_ids", id);
  for (const auto& [key, value] : in.labels()) q.label("/labels", key, value);
  if (!in.last_event_id().empty()) q.after("/last_event_id", in.last_event_id());
  return q.take();
}

void write_event(v1::Event& out, const task_event& e) {
  out.set_event_id(to_string(e.id));
  auto& t = *out.mutable_task();
  t.set_id(e.task.str());
  t.set_state(state_to_proto(e.state));
  t.set_queue(e.where->queue);
  t.set_kind(e.where->kind);
  t.set_attempt(e.attempt);
  const auto us = e.at.time_since_epoch().count();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(e.at).time_since_epoch().count();
  t.mutable_at()->set_seconds(seconds);
  t.mutable_at()->set_nanos(static_cast<std::int32_t>((us - seconds * 1'000'000) * 1'000));
}

} // namespace taskmaster
