#include "schema/recurrence.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

using std::chrono::floor;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr auto horizon = std::chrono::days(36'525);

local_seconds on_wall(sys_seconds t, seconds offset) { return local_seconds(t.time_since_epoch() + offset); }
sys_seconds from_wall(local_seconds t, seconds offset) { return sys_seconds(t.time_since_epoch() - offset); }

} // namespace

expected<recurrence> recurrence::make(const recurrence_spec& spec, std::string_view name) {
  std::vector<field_fault> faults;
  recurrence out;
  out.spec_ = spec;
  if (spec.cron.has_value() + spec.every.has_value() + spec.rrule.has_value() != 1)
    faults.push_back({"/cron", "exactly one of cron, every and rrule has to be there"});
  if (spec.cron) {
    auto c = taskmaster::cron::parse(*spec.cron, name);
    if (c) out.cron_ = std::move(*c);
    else faults.push_back({"/cron", c.failure().message});
  }
  if (spec.every && *spec.every < seconds(1)) faults.push_back({"/every", "is shorter than the limit of 1s"});
  if (spec.anchor && !spec.every && !spec.rrule) faults.push_back({"/anchor", "belongs to every and rrule"});
  auto zone = time_zone::find(spec.timezone);
  if (zone) out.zone_ = *zone;
  else faults.push_back({"/timezone", zone.failure().message});
  if (spec.rrule && out.zone_) {
    const auto begin = spec.anchor ? *spec.anchor : spec.starts_at.value_or(timestamp{});
    const auto start = floor<seconds>(begin);
    const bool given = spec.anchor || spec.starts_at;
    auto rule = taskmaster::rrule::parse(*spec.rrule, given ? on_wall(start, out.zone_->at(start).offset) : local_seconds{});
    if (!rule) faults.push_back({"/rrule", rule.failure().message});
    else if (rule->counts() && !given) faults.push_back({"/rrule", "counts its times, but from when? COUNT needs anchor or starts_at"});
    else out.rrule_ = std::move(*rule);
  }
  if (spec.starts_at && spec.ends_at && *spec.ends_at < *spec.starts_at) faults.push_back({"/ends_at", "is before starts_at"});
  if (faults.empty()) return out;
  auto first = faults.front().field.substr(1) + ": " + faults.front().detail; // before the faults are moved away
  return error(ec::invalid_argument, std::move(first), std::move(faults));
}

std::optional<timestamp> recurrence::next(timestamp t) const {
  if (spec_.starts_at) t = std::max(t, *spec_.starts_at - duration(1));
  std::optional<timestamp> found;
  if (cron_ || rrule_) {
    found = next_on_wall(t);
    if (found && rrule_ && rrule_->until_utc() && *found > *rrule_->until_utc()) return {};
  } else {
    const auto anchor = spec_.anchor.value_or(timestamp{});
    const auto passed = t - anchor;
    auto steps = passed / *spec_.every;
    if (passed < duration(0) && passed % *spec_.every != duration(0)) --steps; // rounds towards zero
    found = anchor + *spec_.every * (steps + 1);
  }
  if (found && spec_.ends_at && *found > *spec_.ends_at) return {};
  return found;
}

/// Stretch by stretch of constant offset, each a plain wall clock. What a transition does to the wall is dealt with where a stretch begins.
std::optional<timestamp> recurrence::next_on_wall(timestamp t) const {
  const auto match = [this](local_seconds from, local_seconds until) { return cron_ ? cron_->next(from, until) : rrule_->next(from, until); };
  const bool elapsed = cron_ ? cron_->every_hour() : rrule_->every_hour();
  const auto after = floor<seconds>(t) + seconds(1); // the first whole second that counts
  const auto end = after + horizon;
  for (auto here = zone_->at(after); here.begin < end; here = zone_->at(here.end)) {
    const auto from = std::max(here.begin, after);
    const auto until = std::min(here.end, end);
    auto wall_begin = on_wall(from, here.offset);
    std::optional<sys_seconds> found;
    if (!elapsed && here.begin > sys_seconds::min() + std::chrono::days(2)) {
      const auto before = zone_->at(here.begin - seconds(1)).offset;
      // Overlap: the wall shows again what the stretch before has shown.
      if (before > here.offset && !spec_.overlap_both) wall_begin = std::max(wall_begin, on_wall(here.begin, before));
      // Gap: what the wall never showed, shifted by the gap's length.
      if (before < here.offset && spec_.gap_shift) {
        const auto gap_begin = std::max(on_wall(here.begin, before), on_wall(after, before));
        if (const auto wall = match(gap_begin, on_wall(here.begin, here.offset))) found = from_wall(*wall, before);
      }
    }
    if (const auto wall = match(wall_begin, on_wall(until, here.offset))) {
      const auto regular = from_wall(*wall, here.offset);
      found = found ? std::min(*found, regular) : regular;
    }
    if (found) return timestamp(*found);
    if (here.end >= end) break;
  }
  return {};
}

std::vector<std::string> recurrence::warnings() const {
  if (cron_ && cron_->never()) return {"'" + *spec_.cron + "' names a date that no year has; it never fires"};
  return {};
}

std::vector<timestamp> instants_between(const recurrence& r, timestamp after, timestamp until, std::size_t most) {
  std::vector<timestamp> out;
  for (auto t = r.next(after); t && *t <= until && out.size() < most; t = r.next(*t)) out.push_back(*t);
  return out;
}

} // namespace taskmaster
