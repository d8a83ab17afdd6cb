// A task's id: a UUIDv7, so that ids sort by the time they were made and land side by side in an index (RFC
// 9562). Plain value; make() may be called on any thread.
#pragma once
#include "schema/time.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace taskmaster {

struct uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const uuid&) const = default;
  bool nil() const { return *this == uuid{}; }

  /// A version 7 id of that millisecond, its bits from the system's random numbers. Those that a thread makes within a millisecond grow: the
  /// tasks of one batch stand in the order they were given in, and side by side in an index.
  static uuid make(timestamp now);
  /// The 36 characters of RFC 9562, either case; nothing for anything else.
  static std::optional<uuid> parse(std::string_view text);
  std::string str() const;
  /// The millisecond in a version 7 id: no task of it was created earlier. Bounds the days of history to look
  /// in.
  timestamp time() const;
};

} // namespace taskmaster

template <>
struct std::hash<taskmaster::uuid> {
  std::size_t operator()(const taskmaster::uuid& id) const noexcept;
};
