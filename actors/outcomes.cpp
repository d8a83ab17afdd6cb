#include "actors/outcomes.hpp"

namespace taskmaster {

namespace {

execution_result ended(run_outcome outcome, std::string code, std::string message) {
  execution_result r;
  r.outcome = outcome;
  r.failure = task_error{std::move(code), std::move(message)};
  return r;
}

} // namespace

execution_result succeeded_with(std::string result_json) {
  execution_result r;
  r.result = std::move(result_json);
  return r;
}

execution_result failed_with(std::string code, std::string message) {
  return ended(run_outcome::failed, std::move(code), std::move(message));
}

execution_result refused_with(std::string code, std::string message) {
  return ended(run_outcome::refused, std::move(code), std::move(message));
}

execution_result payload_refused(std::string message) { return refused_with("payload", std::move(message)); }

execution_result cancelled_run() {
  return ended(run_outcome::cancelled, "cancelled", "stopped because the task was cancelled or its worker is leaving");
}

execution_result timed_out(duration limit) {
  return ended(run_outcome::timeout, "timeout",
               "still running after its timeout of " + format_duration(limit) + "; raise `timeout` if it needs longer");
}

} // namespace taskmaster
