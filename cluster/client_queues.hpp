// The client commands `queue …` and `explain`: a queue's settings over HTTP, and why a task does not run. Used by client_commands. One thread.
#pragma once
#include "cluster/client_answers.hpp"

#include <optional>

namespace CLI {
class App;
}

namespace taskmaster {

/// The flags of `queue set`, as they were typed; "none" sets one back to its default.
struct queue_options {
  enum class verb : std::uint8_t { list, get, set, pause, resume };
  verb what = verb::list;
  std::string name;
  std::optional<std::string> concurrency, rate, key_concurrency, key_rate, weight;
  std::string kind, key; // pause, resume: of these only
};

/// Each returns one of exit_codes.
int run_queue(http_client& client, const queue_options& options, bool json, std::ostream& out, std::ostream& err);
int run_explain(http_client& client, const std::string& id, bool json, std::ostream& out, std::ostream& err);

} // namespace taskmaster
