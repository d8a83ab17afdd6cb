#include "tests/simulate/stream.hpp"

namespace taskmaster::simulate {
namespace {

// A worker that does not read: past this the coordinator's end takes no more, as gateway/session_service.
constexpr std::size_t held_most = 300;

} // namespace

void stream::send(way& w, std::function<void()> deliver) {
  if (w.lost) return;
  if (w.stalled) {
    w.held.push_back(std::move(deliver));
    return;
  }
  w.last = std::max(w.last, world_.now() + net_.latency());
  world_.after(std::chrono::ceil<duration>(w.last - world_.now()), [me = shared_from_this(), &w, deliver = std::move(deliver)] {
    if (!w.lost) deliver();
  });
}

bool stream::push_down(to_worker message) {
  if (coordinator_closed_ || down_.held.size() > held_most) return false;
  if (const auto* a = std::get_if<assign>(&message)) books_.assigned(who, *a);
  if (const auto* w = std::get_if<welcome>(&message)) books_.welcomed(who, *w);
  if (const auto* a = std::get_if<acknowledged>(&message)) books_.told_recorded(who, *a);
  send(down_, [this, message = std::move(message)] {
    if (!worker_home->dead) caf::anon_send(worker, link_event{dial, nullptr, message, ""});
  });
  return true;
}

bool stream::push_up(from_worker message) {
  if (worker_closed_) return false;
  send(up_, [this, message = std::move(message)] {
    if (coordinator_home->dead) return;
    if (const auto* h = std::get_if<hello>(&message); h && !coordinator_closed_) books_.hello_arrives(who, *h);
    if (const auto* c = std::get_if<more_credit>(&message)) books_.credit_arrives(who, c->more);
    if (const auto* r = std::get_if<finished_tasks>(&message)) {
      books_.results_arrive(who, *r);
      if (r->credit > 0) books_.credit_arrives(who, r->credit);
      net_.note_results(who, *r);
    }
    caf::anon_send(proxy, message);
  });
  return true;
}

void stream::say_again() {
  // Rather one of a task that may have gone on since.
  std::vector<run_result> said, over;
  for (const auto& r : net_.results_of(who)) (r.outcome == run_outcome::succeeded ? over : said).push_back(r);
  if (said.empty()) said = over;
  if (said.empty()) return;
  ++net_.faults;
  const auto again = said[world_.dice.below(said.size())];
  world_.tell(again.what.what.task, who.worker + " says a result again");
  push_up(finished_tasks{{again}});
}

void stream::tell_worker(const std::string& why) {
  if (!worker_home->dead) caf::anon_send(worker, link_event{dial, nullptr, {}, why});
}

void stream::tell_proxy() {
  if (!coordinator_home->dead) caf::anon_send(proxy, stop_atom::value);
}

void stream::close_coordinator_end(const std::string& why) {
  if (coordinator_closed_) return;
  coordinator_closed_ = true;
  world_.tell("stream " + std::to_string(who.stream) + " of " + who.worker + " is closed by " + address + ": " + why);
  send(down_, [this, why] { tell_worker(why); });
}

void stream::close_worker_end() {
  if (worker_closed_) return;
  worker_closed_ = true;
  world_.tell("stream " + std::to_string(who.stream) + " is closed by " + who.worker);
  send(up_, [this] { tell_proxy(); });
}

void stream::stall(bool up, bool down) {
  up_.stalled = up_.stalled || up;
  down_.stalled = down_.stalled || down;
}

void stream::release() {
  for (auto* w : {&up_, &down_}) {
    w->stalled = false;
    auto held = std::move(w->held);
    w->held.clear();
    for (auto& deliver : held) send(*w, std::move(deliver));
  }
}

void stream::snap(bool coordinator_hears, bool worker_hears, duration coordinator_after, duration worker_after) {
  up_.lost = down_.lost = true;
  if (coordinator_hears) world_.after(coordinator_after, [me = shared_from_this()] { me->tell_proxy(); });
  if (worker_hears) world_.after(worker_after, [me = shared_from_this()] { me->tell_worker("the connection broke"); });
}

} // namespace taskmaster::simulate
