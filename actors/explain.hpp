// Why a task is not running now: reason codes of the API with what each waits for. The plan finds them (plan_explain.cpp), the
// scheduler adds what only the database knows. Plain data.
#pragma once
#include "schema/task.hpp"

#include <functional>

namespace taskmaster {

struct task_reason {
  std::string code; // not_due after queue_paused limit rate no_worker no_credit behind no_leader grace quarantined running finished
  std::string detail;
  std::optional<timestamp> until; // where it can be known
  std::vector<uuid> waits_for;    // tasks that hold the limit, the first of them when there are many
};

struct explanation {
  task_state state = task_state::scheduled;
  std::vector<task_reason> reasons;
};

/// What the plan does not know of time: when the graces end.
struct explain_clock {
  std::optional<timestamp> takeover_grace_ends;
  std::function<std::optional<timestamp>(std::uint64_t session)> session_grace_ends;
};

/// How many ids `waits_for` names at most.
constexpr std::size_t waits_for_most = 20;

} // namespace taskmaster
