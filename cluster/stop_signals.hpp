// The signals that a node listens to: SIGTERM and SIGINT ask it to stop, a second one ends it at once, SIGHUP is logged and changes nothing.
// Blocked in every thread from the start, and waited for by the main thread alone.
#pragma once
#include <chrono>

namespace taskmaster {

/// Blocks them in this thread and in all that it starts from now on, and ignores SIGPIPE. Called before the first thread.
void block_stop_signals();
/// Waits for a signal to stop for at most this long. True when one came.
bool stop_asked(std::chrono::milliseconds wait);
/// From here on a signal to stop ends the process at once, whatever it waits for.
void signals_kill();

} // namespace taskmaster
