// Every assignment carries a fence: (term, sequence), growing for ever, signed so that a worker can only name
// what it was given (protocol rule R11, obligation 4 of the design). Pure; HMAC-SHA-256 from OpenSSL. Any
// thread.
#pragma once
#include "schema/uuid.hpp"

#include <compare>
#include <cstdint>
#include <string>

namespace taskmaster {

struct fence {
  std::uint64_t term = 0;
  std::uint64_t sequence = 0;

  auto operator<=>(const fence&) const = default;
  bool none() const { return term == 0; }
  /// What user code sees: "001764000000000-000000000012". Later fences are greater as text too.
  std::string str() const;
  static fence parse(std::string_view text); // none() when malformed
};

/// What is signed: which run of which task was given to whom.
struct claim {
  uuid task;
  std::int32_t attempt = 0;
  std::int32_t losses = 0;
  taskmaster::fence fence;
  bool operator==(const claim&) const = default;
};

/// 16 bytes: HMAC-SHA-256 over the claim and the worker's name with the cluster's secret, cut in half.
std::string sign(const claim& c, std::string_view worker, std::string_view secret);
/// Compares in constant time.
bool genuine(const claim& c, std::string_view worker, std::string_view secret, std::string_view signature);

} // namespace taskmaster
