// The process's log: lines for people, or JSON, one object a line, on stderr. Called once by main() before any thread.
#pragma once
#include <string>

namespace taskmaster {

/// format: text or json; level: debug, info, warn, error.
void set_up_log(const std::string& format, const std::string& level);

} // namespace taskmaster
