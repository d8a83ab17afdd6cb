// Which alarms an actor has set for itself and still has to hear: a timer cannot be taken back in CAF 0.17. So that they do not pile up, one is set
// only when none that is out rings early enough. Pure; used by the coordinator on its own thread.
//
// Before, whoever came within a millisecond of an alarm set another one, and each that rang set its own successor: at a thousand tasks a second
// the coordinator kept more than a core busy with ringing, and what its workers said waited for 7 ms.
#pragma once
#include "schema/time.hpp"

#include <set>

namespace taskmaster {

class alarm_clock {
public:
  /// True: set one to ring at `at`. False: an earlier one, or one at most 20 us later, will ring.
  bool set(steady_time at) {
    if (!out_.empty() && *out_.begin() <= at + std::chrono::microseconds(20)) return false;
    out_.insert(at);
    return true;
  }

  /// The alarm that was set for `at` has rung.
  void rung(steady_time at) {
    if (const auto one = out_.find(at); one != out_.end()) out_.erase(one);
  }

  std::size_t out() const { return out_.size(); }

private:
  std::multiset<steady_time> out_;
};

} // namespace taskmaster
