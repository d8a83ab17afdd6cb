// Waiting for a task to finish, over service restarts and full waiting rooms. Used by `wait` and `submit --wait`. Blocks.
#pragma once
#include "cluster/client_answers.hpp"

#include <optional>
#include <ostream>
#include <string>

namespace taskmaster {

struct wait_outcome {
  std::optional<answer_json> task; // as last seen
  bool finished = false;
  int exit_code = 0; // when there is no task
};

/// Asks again and again until it is finished or `limit` (nothing: for ever) is over. No answer, 429 and 503 are borne for a minute
/// in a row. What holds a task that does not run after three seconds is written to `err`, once for each reason.
wait_outcome wait_for_task(http_client& client, const std::string& id, std::optional<duration> limit, std::ostream& err);

} // namespace taskmaster
