#include "actors/leader_keeper.hpp"

#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

using self_ptr = leader_keeper_actor::stateful_pointer<leader_keeper_state>;
constexpr auto tick = std::chrono::milliseconds(50);

/// What one call to acquire learns: a lease, or who leads instead.
struct looked {
  std::optional<leader_lease> lease;
  std::string leader;
};

steady_time now(self_ptr self) { return self->system().clock().now(); }

void tell(self_ptr self, lease_event::type what, leader_lease lease, timestamp stamp, steady_time asked) {
  self->send(self->state.coordinator, lease_event{what, std::move(lease), stamp, asked, now(self)});
}

void end_lease(self_ptr self, const char* why) {
  auto& s = self->state;
  s.view->clear();
  spdlog::warn("leadership ended: {}", why);
  tell(self, lease_event::type::ended, {}, {}, now(self));
}

void note_failure(self_ptr self, const error& e) {
  auto& s = self->state;
  s.rule.failed();
  if (!s.unreachable) spdlog::warn("the lease cannot be asked for: {}", to_string(e));
  s.unreachable = true;
}

void acquire(self_ptr self) {
  auto& s = self->state;
  const auto asked = now(self);
  const auto ttl = s.rule.options().ttl;
  ask_store(
      self, s.lane,
      [name = s.config.name, address = s.config.address, ttl](task_store& store) -> expected<looked> {
        const auto limit = std::chrono::milliseconds(2'000);
        auto lease = store.acquire(name, address, ttl, limit);
        if (!lease) return lease.failure();
        looked out{*lease, ""};
        if (!out.lease)
          if (const auto who = store.leader(limit)) out.leader = who->address;
        return out;
      },
      [self, asked](expected<looked>& answer) {
        auto& s = self->state;
        if (!answer) return note_failure(self, answer.failure());
        s.unreachable = false;
        if (!answer->lease) {
          s.view->leader(answer->leader);
          return s.rule.not_acquired();
        }
        s.rule.acquired(*answer->lease);
        s.view->leader("");
        s.view->secret(answer->lease->secret);
        s.view->set(s.rule.term(), s.rule.trusted_until());
        spdlog::info("leading with term {} (the one before: {})", answer->lease->term, answer->lease->previous_term);
        tell(self, lease_event::type::elected, *answer->lease, answer->lease->now, asked);
      });
}

void renew(self_ptr self) {
  auto& s = self->state;
  const auto asked = now(self);
  ask_store(
      self, s.lane,
      [term = s.rule.term(), ttl = s.rule.options().ttl](task_store& store) {
        return store.renew(term, ttl, std::chrono::milliseconds(1'000));
      },
      [self, asked](expected<std::optional<timestamp>>& answer) {
        auto& s = self->state;
        if (!answer) return note_failure(self, answer.failure());
        s.unreachable = false;
        if (!*answer) {
          s.rule.deposed();
          return end_lease(self, "another coordinator has taken over");
        }
        s.rule.renewed();
        if (s.rule.term() == 0) return;
        s.view->set(s.rule.term(), s.rule.trusted_until());
        tell(self, lease_event::type::renewed, {}, **answer, asked);
      });
}

/// The coordinator gave the term up while the lease is good: without this it would be renewed for ever, and nobody would lead.
void renounce(self_ptr self, std::uint64_t term) {
  auto& s = self->state;
  s.view->clear();
  s.rule.renounced(now(self));
  ask_store(
      self, s.lane, [term](task_store& store) { return store.resign(term, std::chrono::milliseconds(1'000)); },
      [term](expected<done>& answer) {
        if (!answer) spdlog::warn("the lease of term {} was not handed back, it runs out by itself: {}", term, to_string(answer.failure()));
      });
}

} // namespace

leader_keeper_actor::behavior_type leader_keeper(self_ptr self, leader_keeper_config config, store_lane_actor lane,
                                                 coordinator_desk_actor coordinator, std::shared_ptr<lease_view> view) {
  auto& s = self->state;
  s.rule = leadership(config.lease);
  s.config = std::move(config);
  s.lane = std::move(lane);
  s.coordinator = std::move(coordinator);
  s.view = std::move(view);
  self->send(self, tick_atom::value);
  return {
      [self](tick_atom) {
        auto& s = self->state;
        if (s.stopping) return;
        self->delayed_send(self, tick, tick_atom::value);
        const auto led = s.rule.term();
        if (s.rule.term() != 0 && s.view->renounced() == s.rule.term()) return renounce(self, s.rule.term());
        const auto step = s.rule.next(now(self));
        if (led != 0 && s.rule.term() == 0) end_lease(self, "the lease ran out before the database answered");
        if (step == leadership::step::acquire) acquire(self);
        if (step == leadership::step::renew) renew(self);
      },
      [self](stop_atom) -> caf::result<done_answer> {
        auto& s = self->state;
        s.stopping = true;
        const auto term = s.rule.term();
        auto promise = self->make_response_promise<done_answer>();
        if (term == 0) {
          promise.deliver(done_answer(done{}));
          self->quit();
          return promise;
        }
        s.view->clear();
        ask_store(
            self, s.lane, [term](task_store& store) { return store.resign(term, std::chrono::milliseconds(1'000)); },
            [self, promise](expected<done>& answer) mutable {
              promise.deliver(answer);
              self->quit();
            });
        return promise;
      },
  };
}

} // namespace taskmaster
