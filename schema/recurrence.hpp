// When a schedule is due: a cron expression or an RRULE on a zone's wall clock, or a fixed interval. Pure, any thread: the same definition
// gives the same instants on every machine with the same tzdata.
//
// Daylight saving. A wall clock jumps forward over a gap and back through an overlap. For an expression whose hour is not a `*` (a rule
// that is not of hours, minutes or seconds, or names BYHOUR):
// gap `shift` (default) runs what falls into the gap later by the gap's length, `skip` drops it; overlap `first` (default) runs at the
// first of the two, `both` at both. An hour of `*` means elapsed time: it goes on through both, once for each instant, as in Vixie cron.
#pragma once
#include "schema/rrule.hpp"
#include "schema/time.hpp"
#include "schema/time_zone.hpp"

#include <memory>

namespace taskmaster {

/// As users give it; exactly one of `cron`, `every` and `rrule`.
struct recurrence_spec {
  std::optional<std::string> cron;
  std::optional<duration> every; // at least 1 s
  std::optional<std::string> rrule; // RFC 5545, without DTSTART
  std::optional<timestamp> anchor; // of `every` and `rrule` (its DTSTART); 1970-01-01T00:00:00Z when absent, for `rrule` starts_at first
  std::string timezone = "UTC";
  std::optional<timestamp> starts_at, ends_at; // both inclusive
  bool gap_shift = true;
  bool overlap_both = false;
};

class recurrence {
public:
  /// `name` is the schedule's: it seeds `~`. Faults carry the field's pointer.
  static expected<recurrence> make(const recurrence_spec& spec, std::string_view name);

  /// The first instant strictly after `t`; nothing when there is none within a hundred years or before ends_at.
  std::optional<timestamp> next(timestamp t) const;
  /// What is odd and not wrong: an expression that never matches.
  std::vector<std::string> warnings() const;

private:
  std::optional<timestamp> next_on_wall(timestamp t) const;

  recurrence_spec spec_;
  std::optional<taskmaster::cron> cron_;
  std::optional<taskmaster::rrule> rrule_;
  std::optional<time_zone> zone_;
};

/// Up to `most` instants in (after, until].
std::vector<timestamp> instants_between(const recurrence& r, timestamp after, timestamp until, std::size_t most);

} // namespace taskmaster
