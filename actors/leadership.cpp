#include "actors/leadership.hpp"

#include "schema/mutant.hpp"

namespace taskmaster {

steady_time leadership::granted() const {
  const auto drift = duration(options_.ttl.count() / 5'000);
  if (mutant("lease_from_the_answer")) return asked_ + options_.ttl + std::chrono::milliseconds(1'500); // as if the answer took that long
  return asked_ + options_.ttl - drift - options_.margin;
}

leadership::step leadership::next(steady_time now) {
  if (term_ != 0 && now >= trusted_until_) term_ = 0; // the lease ran out unanswered: lead again only with a new term
  if (asking_ || now < next_at_) return step::nothing;
  asking_ = true;
  asked_ = now;
  return term_ != 0 ? step::renew : step::acquire;
}

void leadership::acquired(const leader_lease& lease) {
  asking_ = false;
  term_ = lease.term;
  trusted_until_ = granted();
  next_at_ = asked_ + options_.renew_every;
}

void leadership::not_acquired() {
  asking_ = false;
  next_at_ = asked_ + options_.look_every;
}

void leadership::renewed() {
  asking_ = false;
  if (term_ == 0) return not_acquired(); // answered after the trust had ended
  trusted_until_ = granted();
  next_at_ = asked_ + options_.renew_every;
}

void leadership::deposed() {
  term_ = 0;
  not_acquired();
}

void leadership::renounced(steady_time now) {
  term_ = 0;
  asked_ = now;
  next_at_ = now + 3 * options_.look_every;
}

void leadership::failed() {
  asking_ = false;
  next_at_ = asked_ + options_.look_every;
}

} // namespace taskmaster
