// What each role does with its database before anything else: it migrates the schema, and waits while the database is away. Main thread; blocks.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace taskmaster {

/// Waits for at most `patience`, without a limit when it is empty. A fault that waiting cannot heal (a wrong password, a missing right, no
/// such database, a transaction pooler) ends it at once. An outage is logged when it begins, once a minute, and when it ends. False: it was
/// asked to stop, or the log says why the database cannot be used. `stop_asked` waits for so long and tells whether to stop.
bool prepare_database(const std::string& url, std::optional<std::chrono::milliseconds> patience,
                      const std::function<bool(std::chrono::milliseconds)>& stop_asked);

} // namespace taskmaster
