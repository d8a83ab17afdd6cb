// The client command `events`: transitions of tasks as they happen, a line each, until it is interrupted or has seen as many as asked for.
// A stream that breaks is resumed. Used by client_commands. One thread.
#pragma once
#include "cluster/client_answers.hpp"

#include <cstdint>

namespace taskmaster {

/// Lists take any of their values; labels have to be there all.
struct events_options {
  std::vector<std::string> queues, kinds, states, tasks, labels;
  std::string after;       // an event's id; empty: from now on
  std::int64_t count = 0;  // 0: without end
};

/// One of exit_codes.
int run_events(http_client& client, const events_options& options, bool json, std::ostream& out, std::ostream& err);

} // namespace taskmaster
