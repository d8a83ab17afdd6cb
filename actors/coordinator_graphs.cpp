// Tasks that wait for tasks: after outcomes are recorded, and once a second, the leader has the database tell the children of what has ended.
// A page at a time in the lane of the outcomes, which so goes on between pages, and in which no end can slip past a look (R7).
#include "actors/coordinator.hpp"

#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
constexpr std::size_t page_edges = 1'000;

} // namespace

void coordinator_state::follow_up() {
  if (told_all_ || following_ || steady() < record_again_) return;
  following_ = told_all_ = true;
  last_follow_up_ = steady();
  ask_store(
      self_, writes_, [term = term_](task_store& s) { return s.follow_up(term, page_edges, limit); },
      [this, epoch = epoch_](expected<follow_up_page>& page) {
        if (epoch != epoch_) return;
        following_ = false;
        if (!page) {
          if (page.failure().code == ec::deposed) return step_down("another coordinator has taken over");
          spdlog::warn("tasks that wait for others could not be told, trying again: {}", to_string(page.failure()));
          return; // with the next second; what was done is done, and the scan brings it
        }
        const auto at = now();
        for (auto& row : page->released) {
          clock_.witness(row.created_at, steady());
          plan_.released(std::move(row), at);
        }
        edges_ = page->edges;
        if (page->more) told_all_ = false;
        wake();
      });
}

} // namespace taskmaster
