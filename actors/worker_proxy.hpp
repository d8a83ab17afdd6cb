// One session's keeper on the coordinator's node: checks what the worker says, answers its heartbeats while the lease is trusted, ends
// the session when nothing is heard for too long, and passes the rest on. The coordinator monitors it: its end is the session's end.
#pragma once
#include "actors/coordinator_desk.hpp"
#include "actors/lease_view.hpp"

namespace taskmaster {

struct session_timing {
  duration heartbeat_interval = std::chrono::milliseconds(500);
  // A worker that has had no answer for this long starts nothing (R14). Shorter than deadline and grace, which must outlast it.
  duration lease = std::chrono::milliseconds(1'200);
  duration deadline = std::chrono::milliseconds(4'000); // nothing heard: the session is over
  duration grace = std::chrono::milliseconds(1'500);    // a lost session's tasks wait this long for it to come back
  duration hello_within = std::chrono::seconds(10);     // a stream that says nothing
};

struct worker_proxy_state {
  worker_proxy_state() = default; // no aggregate: CAF 0.17 under C++20 would initialise its first member with the actor
  coordinator_desk_actor coordinator;
  std::shared_ptr<worker_link> link;
  std::shared_ptr<const lease_view> view;
  session_timing timing;
  std::string worker; // empty before hello
  std::int32_t slots = 0;
  std::uint64_t highest_term = 0;
  steady_time heard{}, opened{};
  std::int64_t granted = 0; // credit that is out, at most what a worker can mean
  int nonsense = 0;         // claims that were never handed out
  bool ended = false;
  static inline const char* name = "worker-proxy";
};

worker_proxy_actor::behavior_type worker_proxy(worker_proxy_actor::stateful_pointer<worker_proxy_state> self,
                                               coordinator_desk_actor coordinator, std::shared_ptr<worker_link> link,
                                               std::shared_ptr<const lease_view> view, session_timing timing);

/// What is wrong with a hello, as (code, sentence); nothing when it is good. Pure.
std::optional<refused> judge(const hello& h);

} // namespace taskmaster
