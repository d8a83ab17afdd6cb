// Executors whose runs are drawn: how long, how they end, whether they heed a cancel. What starts is told to the books with its fence,
// as a task's own effects would show it. Like child processes these run on while their worker is frozen.
#pragma once
#include "actors/interfaces.hpp"
#include "tests/simulate/books.hpp"

namespace taskmaster::simulate {

/// Changed as the run goes on; shared by all workers.
struct script {
  bool calm = false; // every run succeeds at once
  std::int64_t fails = 12, defers = 4, refuses = 2, times_out = 2; // percent
  duration typical = milliseconds(60); // length of a run; one in twenty takes seconds
};

struct script_end {
  std::uint64_t run = 0;
  execution_result result;
};

using script_pool_actor = executor_pool_actor::extend<caf::reacts_to<script_end>>;

executor_pool_actor script_pool(world& w, books& b, const std::shared_ptr<part>& home, std::shared_ptr<const script> how, std::string worker,
                                std::size_t slots);

} // namespace taskmaster::simulate

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::simulate::script_end)
