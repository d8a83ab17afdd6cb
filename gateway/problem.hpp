// Errors as people and programs read them over HTTP: problem details (RFC 9457). Used by every HTTP handler and by the rows of a
// batch. Pure; any thread.
#pragma once
#include "gateway/json_writer.hpp"
#include "schema/error.hpp"

#include <string>

namespace taskmaster {

inline constexpr char problem_content_type[] = "application/problem+json";

/// {"type", "title", "status", "detail", "errors": [{"field", "detail"}]}. A fault of ours (ec::internal) tells its message to
/// the log and not to the client.
void write_problem(json_writer& out, const error& e);
std::string problem_json(const error& e);

/// For statuses that HTTP itself knows and no ec stands for: 405, 414, 431.
std::string problem_json(int status, std::string_view title, std::string_view detail);

} // namespace taskmaster
