// Tells well-formed UTF-8 from other bytes, for text that comes in by headers and addresses and for text that goes out. Any thread.
#pragma once
#include <cstddef>
#include <string_view>

namespace taskmaster {

/// Length of the well-formed character at the front of `s`, 0 when there is none (Unicode 15, table 3-7). `s` is not empty.
std::size_t utf8_length(std::string_view s);
bool valid_utf8(std::string_view s);

} // namespace taskmaster
