// `taskmaster bench`: how fast this build is on this machine, and how that compares with what PostgreSQL alone can do, in the same run.
// It starts scheduler, coordinator and workers as processes of their own (this very binary) over a database of its own, measures with
// real clients, and leaves nothing behind. main() calls it on the main thread; it blocks until all is measured, or Ctrl-C.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace taskmaster {

struct bench_settings {
  bool chosen = false;
  std::string database = "private"; // or a libpq URI of a server, where it makes a database and drops it again
  bool json = false;                // only JSON on stdout, no table
  bool quick = false;               // everything smaller and shorter: to see that it works, not how fast
  std::vector<std::string> only;    // names of figures; empty: all
  std::size_t pending = 0;          // tasks that wait while lateness is measured; 0: 1,000,000, or 10,000 with `quick`
  std::vector<std::size_t> backlog; // sizes; empty: 100,000, 1,000,000 and 10,000,000, or 5,000 and 20,000 with `quick`
};

/// Adds the command; parsing sets `chosen.chosen`. `chosen` must outlive `app`.
void add_bench_command(CLI::App& app, bench_settings& chosen);

/// Progress goes to stderr, the table and, as the last line, one object of JSON to stdout. 0: all was measured; 1: something could not be.
int run_bench(const bench_settings& settings);

} // namespace taskmaster
