// The query part of a request's target, read strictly: `a=1&label=k%3Dv`. Used by the HTTP gateway. Pure; any thread.
#pragma once
#include "schema/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace taskmaster {

using query_parameters = std::vector<std::pair<std::string, std::string>>; // in the order given

/// `%xx` and `+` decoded. ec::invalid_argument for a broken `%`, bytes that are no UTF-8, and NUL.
expected<query_parameters> parse_query(std::string_view query);

/// One part of a path, `%xx` decoded; a `+` stays.
expected<std::string> decode_path_part(std::string_view part);

} // namespace taskmaster
