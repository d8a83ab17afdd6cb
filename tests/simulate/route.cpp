// A scheduler's way to the coordinators: what gateway/coordinator_client does over gRPC, over wires that lose and delay.
#include "tests/simulate/network.hpp"

namespace taskmaster::simulate {

struct route_step {
  std::function<void()> run;
};

} // namespace taskmaster::simulate
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::simulate::route_step)

namespace taskmaster::simulate {

/// Untyped, so that what is added to coordinator_actor does not have to be added here: it is answered "unexpected message".
using route_actor = caf::stateful_actor<struct route_state>;

struct route_state {
  route_state() = default;
  static inline const char* name = "route";
  network* net = nullptr;
  std::shared_ptr<part> home;
  std::vector<std::string> addresses;
  std::string current;
  std::size_t next = 0;

  chance& dice() { return net->world_.dice; }
  world& all() { return net->world_; }
  const network_weather& weather() const { return net->weather; }

  /// Somebody else leads, or nobody is there: the one that was named, else the next in the list.
  void turn(const std::string& from, const std::string& message) {
    if (current != from) return;
    for (const auto& a : addresses)
      if (a != from && message.ends_with("the leader is " + a)) {
        current = a;
        return;
      }
    current = addresses[++next % addresses.size()];
  }
  bool lost() {
    if (dice().between(0, 999) >= weather().call_lost) return false;
    ++net->faults;
    return true;
  }
  duration wire() {
    if (dice().between(0, 999) >= weather().call_slow) return net->latency();
    ++net->faults;
    return dice().between(milliseconds(10), milliseconds(dice().one_in(3) ? 9'000 : 800));
  }
};

namespace {

using self_ptr = route_actor*;

/// Runs `what` in the route's own turn, after the wire's time.
void later(self_ptr self, duration wait, std::function<void()> what) {
  auto& s = self->state;
  s.all().after(wait, [me = caf::actor(self), home = s.home, what = std::move(what)] {
    if (!home->dead) caf::anon_send(me, route_step{what});
  });
}

template <class Answer, class... Ts>
struct call {
  std::tuple<Ts...> question;
  caf::typed_response_promise<Answer> promise;
  bool over = false;
  int tries = 3;
  void end(Answer a) {
    if (std::exchange(over, true)) return;
    promise.deliver(std::move(a));
  }
};

template <class Answer, class... Ts>
void attempt(self_ptr self, std::shared_ptr<call<Answer, Ts...>> c) {
  auto& s = self->state;
  const auto to = s.current;
  const auto failed = [self, c, to](error e) {
    self->state.turn(to, e.message);
    if (--c->tries > 0 && !c->over) return attempt(self, c);
    c->end(Answer(std::move(e)));
  };
  if (s.lost()) return; // its deadline tells
  later(self, s.wire(), [self, c, to, failed] {
    auto& s = self->state;
    const auto* at = s.net->find(to);
    if (!at) return later(self, s.net->latency(), [failed] { failed({ec::unavailable, "the coordinator is not there"}); });
    std::apply(
        [&](const auto&... question) {
          self->request(coordinator_actor(at->actor), caf::infinite, question...)
              .then(
                  [self, c, failed](Answer& a) {
                    auto& s = self->state;
                    if (s.lost()) return;
                    later(self, s.wire(), [c, failed, a]() mutable {
                      if (!a && (a.failure().code == ec::not_leader || a.failure().code == ec::unavailable)) return failed(a.failure());
                      c->end(std::move(a));
                    });
                  },
                  [self, failed](const caf::error&) {
                    later(self, self->state.net->latency(), [failed] { failed({ec::unavailable, "the coordinator is gone"}); });
                  });
        },
        c->question);
  });
}

template <class Answer, class... Ts>
caf::result<Answer> ask(self_ptr self, duration limit, Ts... question) {
  auto c = std::make_shared<call<Answer, Ts...>>();
  c->question = std::make_tuple(std::move(question)...);
  c->promise = self->template make_response_promise<caf::typed_response_promise<Answer>>();
  auto promise = c->promise;
  later(self, limit, [c] { c->end(Answer(error{ec::deadline_exceeded, "the coordinator did not answer in time"})); });
  attempt(self, c);
  return promise;
}

void announce(self_ptr self, announcement what) {
  auto& s = self->state;
  const auto luck = s.dice().between(0, 999);
  if (luck < s.weather().announce_lost) {
    ++s.net->faults;
    return;
  }
  auto wait = s.net->latency();
  if (luck < s.weather().announce_lost + s.weather().announce_late) {
    ++s.net->faults;
    wait = s.dice().between(milliseconds(100), milliseconds(20'000)); // a scheduler that stalled with a full socket
  }
  // To whoever sits there by then: a retry goes to the next leader.
  later(self, wait, [self, what = std::move(what)]() mutable {
    if (const auto* at = self->state.net->find(self->state.current)) self->send(coordinator_actor(at->actor), announce_atom::value, std::move(what));
  });
}

constexpr auto call_limit = milliseconds(5'000);

caf::behavior route(self_ptr self, network* net, std::shared_ptr<part> home, std::vector<std::string> addresses) {
  auto& s = self->state;
  s.net = net;
  s.home = std::move(home);
  s.addresses = std::move(addresses);
  s.current = s.addresses.front();
  self->set_default_handler(caf::drop);
  return {
      [self](announce_atom, announcement& a) { announce(self, std::move(a)); },
      [self](live_atom a, const live_request& r) { return ask<live_answer>(self, call_limit, a, r); },
      [self](wait_atom a, const uuid& id, caf::timespan t) {
        return ask<finish_answer>(self, std::chrono::duration_cast<duration>(t) + milliseconds(500), a, id, t);
      },
      [self](cancel_atom a, const uuid& id) { return ask<cancel_answer>(self, call_limit, a, id); },
      [self](retry_atom a, const uuid& id, caf::timespan wait) { return ask<reopen_answer>(self, call_limit, a, id, wait); },
      [self](edit_atom a, const edit_request& request) { return ask<edit_answer>(self, call_limit, a, request); },
      [self](explain_atom a, const task& row) { return ask<reasons_answer>(self, call_limit, a, row); },
      [self](set_queue_atom a, const queue_change& c) { return ask<settings_answer>(self, call_limit, a, c); },
      [self](schedule_atom a, const schedule_command& c) { return ask<schedule_answer>(self, call_limit, a, c); },
      [self](workers_atom a) { return ask<workers_answer>(self, call_limit, a); },
      [self](drain_atom a, const std::string& id) { return ask<done_answer>(self, call_limit, a, id); },
      [self](events_atom a, const event_request& what, caf::timespan t) {
        return ask<events_answer>(self, std::chrono::duration_cast<duration>(t) + milliseconds(1'000), a, what, t);
      },
      [](route_step& step) { step.run(); },
  };
}

} // namespace

coordinator_actor network::route(const std::shared_ptr<part>& home, std::vector<std::string> addresses) {
  return caf::actor_cast<coordinator_actor>(world_.spawn(home, simulate::route, this, home, std::move(addresses)));
}

} // namespace taskmaster::simulate
