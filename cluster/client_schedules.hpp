// The client commands `schedule …`, over HTTP. Used by client_commands. One thread.
#pragma once
#include "cluster/client_answers.hpp"

#include <istream>
#include <optional>

namespace taskmaster {

struct client_request;

/// The flags of `schedule …`, as they were typed.
struct schedule_options {
  enum class verb : std::uint8_t { put, get, list, remove, pause, resume, trigger, backfill, preview, ledger };
  verb what = verb::list;
  std::string name;
  std::optional<std::string> cron, every, anchor, rrule, timezone, jitter, starts_at, ends_at, overlap, misfire, misfire_window, dst_gap, dst_overlap;
  std::optional<std::string> file; // or "-"
  bool paused = false;
  std::string from, until;
  bool allow_overlap = false;
  std::int32_t count = 10, limit = 100;
  std::string cursor;
};

/// Returns one of exit_codes.
int run_schedule(http_client& client, const client_request& request, std::istream& in, std::ostream& out, std::ostream& err);

} // namespace taskmaster
