// One cancel or retry of every task that a filter matches. First it looks at all of them, so that too many are refused with nothing done;
// then it asks for each, a bounded number at a time, by the same way as for one. Spawned by the scheduler for one request, it answers
// and ends. What was asked for goes on when the client leaves: it is what the client wanted, and asking again is harmless.
#pragma once
#include "actors/interfaces.hpp"

namespace taskmaster {

/// Tasks that one request may match. Their ids are kept in memory meanwhile.
constexpr std::size_t bulk_most = 100'000;

using bulk_change_actor = caf::typed_actor<caf::replies_to<bulk_atom, bulk_request>::with<bulk_answer>>;

class bulk_change_state {
public:
  using self_ptr = bulk_change_actor::stateful_pointer<bulk_change_state>;
  static inline const char* name = "bulk-change";

  void start(self_ptr self, scheduler_actor scheduler, coordinator_actor coordinator);
  caf::result<bulk_answer> run(bulk_request& request);

private:
  void look();
  void act();
  void one_answered(bool changed, const std::optional<error>& failure);
  void answer(bulk_answer a);

  self_ptr self_ = nullptr;
  scheduler_actor scheduler_;
  coordinator_actor coordinator_;
  bulk_request request_;
  caf::typed_response_promise<bulk_answer> promise_;
  std::vector<task_state> states_; // still to be listed; the first is under way
  std::vector<uuid> ids_;          // without doubles: a task that moved on between two states is listed in both
  std::size_t next_ = 0, open_ = 0;
  std::uint64_t changed_ = 0;
  std::optional<error> failure_;
};

bulk_change_actor::behavior_type bulk_change(bulk_change_state::self_ptr self, scheduler_actor scheduler, coordinator_actor coordinator);

} // namespace taskmaster
