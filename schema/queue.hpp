// What people set on a queue: pauses, limits, weight; and one change of it, as the doors read it. Used by the doors, the store and the
// plan. Plain data and pure functions; any thread.
#pragma once
#include "schema/error.hpp"
#include "schema/time.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace taskmaster {

/// A token bucket: `limit` tokens come in a period, at most `burst` wait; handing out one task takes one.
struct rate_limit {
  std::int64_t limit = 1;
  duration period = std::chrono::seconds(1);
  std::int64_t burst = 1;
  bool operator==(const rate_limit&) const = default;
};

namespace limits {
constexpr std::int64_t concurrency = 1'000'000;
constexpr std::int64_t rate = 1'000'000; // limit and burst
constexpr duration rate_period_least = std::chrono::milliseconds(1);
constexpr duration rate_period = std::chrono::hours(24);
constexpr double weight_least = 0.001, weight = 1'000;
constexpr std::size_t paused_parts = 1'000; // kinds, and keys, paused in one queue
} // namespace limits

struct queue_settings {
  std::string name;
  bool paused = false;
  std::optional<std::int64_t> concurrency; // nothing: no limit
  std::optional<rate_limit> rate;
  std::int64_t key_concurrency = 1; // of each concurrency_key within the queue
  std::optional<rate_limit> key_rate;
  double weight = 1; // its share beside other queues of the same priority
  std::set<std::string> paused_kinds, paused_keys;
  bool operator==(const queue_settings&) const = default;
};

/// A change: what is not named stays. Each field that is `reset` goes back to its default first.
struct queue_change {
  std::string name;
  std::set<std::string> reset; // names of the fields below
  std::optional<bool> paused;
  std::optional<std::int64_t> concurrency;
  std::optional<rate_limit> rate;
  std::optional<std::int64_t> key_concurrency;
  std::optional<rate_limit> key_rate;
  std::optional<double> weight;
  std::optional<std::set<std::string>> paused_kinds, paused_keys;             // the whole set anew
  std::set<std::string> pause_kinds, pause_keys, resume_kinds, resume_keys;   // added to it, taken from it
};

/// The names that `reset` may hold.
bool is_queue_setting(std::string_view field);

/// ec::invalid_argument (form) or ec::unprocessable (limit) with every field at fault.
std::optional<error> validate(const queue_change& change);

/// The settings after the change; ec::unprocessable when too many kinds or keys would be paused.
expected<queue_settings> changed(queue_settings settings, const queue_change& change);

} // namespace taskmaster
