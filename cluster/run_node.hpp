// Runs a node command from start to its ordered end. Called by main() on the main thread, with every signal that matters blocked
// and the guardian started; returns the exit code.
#pragma once
#include "actors/process_guardian.hpp"
#include "cluster/settings.hpp"

namespace taskmaster {

int run_node(const node_settings& settings, std::shared_ptr<process_guardian> guardian);

} // namespace taskmaster
