// The coordinator as its own node sees it: what schedulers may ask (coordinator_actor), and what the node's leader_keeper and worker
// proxies tell it. Only the composition and these two include it.
#pragma once
#include "actors/interfaces.hpp"

namespace taskmaster {

/// From leader_keeper, in the order it happened.
struct lease_event {
  enum class type : std::uint8_t { elected, renewed, ended };
  type what = type::ended;
  leader_lease lease;   // elected
  timestamp stamp;      // elected, renewed: the database's clock in the answer,
  steady_time asked, received; // and when it was asked and came
};

/// A down-link message or, with `close`, the end of the session.
struct proxy_order {
  to_worker message;
  bool close = false;
};

using worker_proxy_actor = caf::typed_actor<
    // What the worker said, from the link.
    caf::reacts_to<from_worker>,
    // What the coordinator has for the worker.
    caf::reacts_to<proxy_order>,
    // The link is gone.
    caf::reacts_to<stop_atom>,
    // Its own clock: the heartbeat deadline.
    caf::reacts_to<tick_atom>>;

/// A worker's hello, passed on by its proxy, which has checked its form. Claims whose signature is not ours are in `forged`.
struct session_hello {
  worker_proxy_actor proxy;
  hello said;
  std::string peer;
  std::vector<claim> forged;
};

/// Anything else that the worker of this session said.
struct session_said {
  std::uint64_t session = 0;
  from_worker message;
};

using heard_atom = caf::atom_constant<caf::atom("tm_heard")>;

using coordinator_desk_actor = coordinator_actor::extend<
    // The keeper won, renewed or lost the lease.
    caf::reacts_to<lease_event>,
    // A worker wants a session.
    caf::reacts_to<session_hello>,
    // A worker with a session grants credit, started, finished, …
    caf::reacts_to<session_said>,
    // Its own clock: scans, graces, housekeeping.
    caf::reacts_to<tick_atom>,
    // Tasks were submitted by SQL (schema/submit_listener): scans at once instead of within a second.
    caf::reacts_to<heard_atom>,
    // There is work to hand out, or to record.
    caf::reacts_to<run_atom>,
    // Its alarm for what is due next: the moment it was set for, in the clock's own count.
    caf::reacts_to<run_atom, std::int64_t>,
    // Hand back the lease and end (SIGTERM).
    caf::reacts_to<stop_atom>>;

} // namespace taskmaster

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::lease_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::proxy_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::session_hello)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::session_said)
