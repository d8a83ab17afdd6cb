// A database that was restored from another server's dump: its rows have transaction numbers of that server, which may lie ahead of this one's,
// and every scan would read them again. Once a term, after the load, a page at a time in the lane of the outcomes, which so go on between pages.
#include "actors/coordinator.hpp"

#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
constexpr int page_rows = 2'000;

} // namespace

void coordinator_state::renew_transactions(std::int64_t renewed) {
  ask_store(
      self_, writes_, [term = term_](task_store& s) { return s.renew_transactions(term, page_rows, limit); },
      [this, renewed, epoch = epoch_](expected<int>& rows) {
        if (epoch != epoch_) return;
        if (!rows) {
          if (rows.failure().code == ec::deposed) return step_down("another coordinator has taken over");
          // Without it scans are slow and nothing is wrong. The next leader tries again.
          spdlog::warn("rows of a restored dump could not be renewed, which makes scans slow: {}", to_string(rows.failure()));
          return;
        }
        if (*rows > 0) return renew_transactions(renewed + *rows);
        if (renewed > 0)
          spdlog::warn("this database was restored from another server's dump: the transaction numbers of {} waiting tasks were renewed", renewed);
      });
}

} // namespace taskmaster
