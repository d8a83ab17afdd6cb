// Hears of tasks that applications submit by SQL with notify => true, so that they need not wait for the next scan. Nothing rests on it:
// a notification that is lost costs the rest of a second. Used by the coordinator while it leads.
#pragma once
#include <functional>
#include <memory>
#include <string>

namespace taskmaster {

/// listen() and rest() never block and may be called on any thread.
class submit_listener {
public:
  virtual ~submit_listener() = default;
  /// From here on `heard` is called, on a thread of the listener's: once for all notifications that came together, and once whenever
  /// listening begins (anew), since what came before that was not heard. A later listen() replaces it.
  virtual void listen(std::function<void()> heard) = 0;
  /// Not listening: no connection to the database.
  virtual void rest() = 0;
};

/// Listens on a connection of its own, which is there only between listen() and rest(); connects again by itself. One thread, joined by
/// the destructor.
std::unique_ptr<submit_listener> make_postgres_listener(std::string url, std::string application_name);

} // namespace taskmaster
