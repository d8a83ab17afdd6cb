#include "cluster/prepare_database.hpp"

#include "schema/migrate.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }

} // namespace

bool prepare_database(const std::string& url, std::optional<std::chrono::milliseconds> patience,
                      const std::function<bool(std::chrono::milliseconds)>& stop_asked) {
  const auto begun = clock::now();
  auto said = begun - 1h;
  for (std::chrono::milliseconds wait = 250ms;; wait = std::min<std::chrono::milliseconds>(wait * 2, 5s)) {
    const auto done = migrate(url, 60s);
    const auto now = clock::now();
    if (done) {
      if (said > begun) spdlog::info("the database is there after {:.1f} s", seconds(now - begun));
      for (const auto& file : done->applied) spdlog::info("migrated: {}", file);
      for (const auto& text : done->warnings) spdlog::warn("database: {}", text);
      return true;
    }
    const auto& e = done.failure();
    if (e.code != ec::unavailable && e.code != ec::deadline_exceeded) {
      spdlog::error("the database cannot be used: {}", to_string(e));
      return false;
    }
    if (patience && now - begun >= *patience) {
      spdlog::error("the database cannot be used: {}{}", to_string(e), *patience == 0ms ? " (--wait 60s waits for it)" : "");
      return false;
    }
    if (now - said >= 1min) {
      spdlog::warn("waiting for the database: {}", to_string(e));
      said = now;
    }
    if (patience) wait = std::min<std::chrono::milliseconds>(wait, std::chrono::ceil<std::chrono::milliseconds>(*patience - (now - begun)));
    if (stop_asked(wait)) return false;
  }
}

} // namespace taskmaster
