// The ends of a run in one word each, as executors and the pool write them. Pure; any thread.
#pragma once
#include "actors/executor.hpp"

namespace taskmaster {

execution_result succeeded_with(std::string result_json);
execution_result failed_with(std::string code, std::string message);
/// Not tried again: nothing would change.
execution_result refused_with(std::string code, std::string message);
/// The payload makes no sense to this kind; `message` names the field by its JSON pointer.
execution_result payload_refused(std::string message);
execution_result cancelled_run();
/// It ran into the task's own limit.
execution_result timed_out(duration limit);

} // namespace taskmaster
