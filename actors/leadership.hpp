// When a coordinator may believe that it leads (R1, R3). Pure: takes the monotonic clock's `now`; the coordinator asks the database on
// its behalf. Trust runs from the moment of *asking* for a lease, so a late answer never makes it longer than the database meant.
#pragma once
#include "schema/store.hpp"

namespace taskmaster {

struct leadership_options {
  // Budget of a takeover, 3 s in all: lease 1.5, look 0.2, load 0.3, grace 1.0 (protocol 3.2 #21).
  duration ttl = std::chrono::milliseconds(1'500);
  duration renew_every = std::chrono::milliseconds(400);
  duration look_every = std::chrono::milliseconds(200);
  // Taken off the lease: two clocks' drift (200 ppm of it) and a margin for this process being descheduled after it looked.
  duration margin = std::chrono::milliseconds(100);
};

class leadership {
public:
  explicit leadership(leadership_options options = {}) : options_(options) {}

  /// What to ask the database for now; nothing while an answer is awaited or it is too early.
  enum class step : std::uint8_t { nothing, acquire, renew };
  step next(steady_time now);

  /// The answers to it. A lease, or nothing (somebody else leads), or no answer at all: `failed`.
  void acquired(const leader_lease& lease);
  void not_acquired();
  void renewed();
  /// 0 rows: another term began.
  void deposed();
  void failed();
  /// Given back by choice: others may look first.
  void renounced(steady_time now);

  /// True while it may act as the leader: dispatch, answer cancels and heartbeats, say "stale".
  bool trusted(steady_time now) const { return term_ != 0 && now < trusted_until_; }
  steady_time trusted_until() const { return trusted_until_; }
  std::uint64_t term() const { return term_; }
  const leadership_options& options() const { return options_; }

private:
  steady_time granted() const;

  leadership_options options_;
  std::uint64_t term_ = 0;
  steady_time asked_{};
  steady_time next_at_{};
  bool asking_ = false;
  steady_time trusted_until_{};
};

} // namespace taskmaster
