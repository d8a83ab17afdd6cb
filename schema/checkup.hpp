// Looks at a database as a doctor does: reads only, names what is wrong and what to do. Each check is a file of its own, schema/queries/check_*.sql.
// Used by `taskmaster doctor`; blocks; any thread, one at a time.
#pragma once
#include "schema/error.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace taskmaster {

struct finding {
  enum class type : std::uint8_t { good, note, warn, bad };
  type grade = type::good;
  std::string check, detail, advice;
};
std::string_view to_string(finding::type grade);

/// What every check found, in order. A check that cannot be done, or takes longer than `each`, is a finding too; the call fails only when the
/// database cannot be reached at all.
expected<std::vector<finding>> check_up(const std::string& url, std::chrono::milliseconds each);

} // namespace taskmaster
