#include "schema/error.hpp"

#include <array>

namespace taskmaster {

namespace {

// In the order of the enum, which starts at 1.
constexpr std::array<std::string_view, 13> names{
    "invalid_argument", "too_large",    "unprocessable", "not_found",         "conflict",
    "exhausted",        "unavailable",  "ambiguous",     "deadline_exceeded", "not_leader",
    "deposed",          "incompatible", "internal",
};
static_assert(static_cast<std::size_t>(ec::internal) == names.size(),
              "each ec has a name, in the order of the enum");

} // namespace

std::string_view to_string(ec code) {
  auto index = static_cast<std::size_t>(code) - 1;
  return index < names.size() ? names[index] : "unknown";
}

std::string to_string(const error& e) {
  std::string text{to_string(e.code)};
  if (!e.message.empty()) text += ": " + e.message;
  for (const auto& fault : e.faults)
    text += " [" + fault.field + (fault.field.empty() ? "" : ": ") + fault.detail + "]";
  if (!e.cause.empty()) text += ": " + e.cause;
  return text;
}

} // namespace taskmaster
