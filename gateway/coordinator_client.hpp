// A coordinator in another process, as an actor: the same interface as the coordinator's own (actors/interfaces.hpp), spoken over gRPC.
// Finds the leader by itself: a coordinator that does not lead names it, one that is silent is passed over. Event-based; gRPC's
// callbacks come back as messages.
#pragma once
#include "actors/interfaces.hpp"
#include "gateway/open_calls.hpp"

#include <memory>
#include <string>
#include <vector>

namespace taskmaster {

/// What to do, back on the actor's thread, when a call is answered.
struct call_done {
  std::function<void()> then;
};

using coordinator_client_actor = coordinator_actor::extend<
    // A gRPC call ended.
    caf::reacts_to<call_done>,
    // Ends the actor (a request under way is answered as unavailable).
    caf::reacts_to<stop_atom>>;

class coordinator_calls; // the stubs, and which address is thought to lead

struct coordinator_client_state {
  coordinator_client_state() = default;
  std::shared_ptr<coordinator_calls> calls;
  int announcing = 0; // announces under way; past a bound they are left to the scan
  static inline const char* name = "coordinator-client";
};

/// `addresses`: host:port of every coordinator. `open` is closed by the composition before its actor system goes.
coordinator_client_actor::behavior_type coordinator_client(coordinator_client_actor::stateful_pointer<coordinator_client_state> self,
                                                           std::vector<std::string> addresses, std::shared_ptr<open_calls> open);

} // namespace taskmaster

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::call_done)
