// The states and the table of moves, said once: ARCHITECTURE.md draws it, CHECK constraints repeat it,
// tests/schema compares.
#include "schema/task.hpp"

#include <array>
#include <initializer_list>

namespace taskmaster {

namespace {

constexpr std::array<std::string_view, 7> state_names{"scheduled", "ready",     "running", "succeeded",
                                                      "failed",    "cancelled", "expired"};
static_assert(static_cast<std::size_t>(task_state::expired) + 1 == state_names.size(),
              "each state has a name");

constexpr std::array<std::string_view, 2> delivery_names{"at_least_once", "at_most_once"};
static_assert(static_cast<std::size_t>(delivery_mode::at_most_once) + 1 == delivery_names.size(),
              "each delivery has a name");

constexpr unsigned to(std::initializer_list<task_state> states) {
  unsigned set = 0;
  for (auto s : states) set |= 1u << static_cast<unsigned>(s);
  return set;
}

using enum task_state;
constexpr std::array<unsigned, 7> moves{
    // scheduled: its time comes; it is changed to another time; a dependency ends it; or it ends without a
    // run.
    to({scheduled, ready, failed, cancelled, expired}),
    // ready: handed out; put off; or it ends without a run.
    to({scheduled, running, failed, cancelled, expired}),
    // running: an outcome, a retry later (scheduled), or the worker was lost or gave it back (ready).
    to({scheduled, ready, succeeded, failed, cancelled}),
    // finished ones only come back by hand.
    to({scheduled, ready}),
    to({scheduled, ready}),
    to({scheduled, ready}),
    to({scheduled, ready}),
};

template <class T, std::size_t N>
std::optional<T> named(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == text) return static_cast<T>(i);
  return std::nullopt;
}

} // namespace

std::string_view to_string(task_state s) {
  auto index = static_cast<std::size_t>(s);
  return index < state_names.size() ? state_names[index] : "unknown";
}

std::optional<task_state> parse_state(std::string_view text) { return named<task_state>(state_names, text); }

bool may_move(task_state from, task_state to) {
  auto f = static_cast<std::size_t>(from), t = static_cast<std::size_t>(to);
  return f < moves.size() && t < moves.size() && (moves[f] >> t & 1u);
}

std::string_view to_string(delivery_mode d) {
  auto index = static_cast<std::size_t>(d);
  return index < delivery_names.size() ? delivery_names[index] : "unknown";
}

std::optional<delivery_mode> parse_delivery(std::string_view text) {
  return named<delivery_mode>(delivery_names, text);
}

} // namespace taskmaster
