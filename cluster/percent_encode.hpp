// RFC 3986's percent-encoding of everything that is not unreserved: path segments, query values, the host of a libpq URI. Pure.
#pragma once
#include <string>
#include <string_view>

namespace taskmaster {

std::string percent_encode(std::string_view text);

} // namespace taskmaster
