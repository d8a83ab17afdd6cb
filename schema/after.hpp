// What a task waits for: as a client writes it, and as the store keeps it. Part of task_spec. Plain data and pure functions; any thread.
#pragma once
#include "schema/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace taskmaster {

/// Which end of the other task lets this one start.
enum class awaited_end : std::uint8_t { succeeded, finished };
/// What becomes of this task when the other ends otherwise: it is cancelled, it fails (reason `dependency`), or it runs all the same.
enum class otherwise_do : std::uint8_t { cancel, fail, run };

std::string_view to_string(awaited_end end);
std::optional<awaited_end> parse_awaited_end(std::string_view text);
std::string_view to_string(otherwise_do what);
std::optional<otherwise_do> parse_otherwise(std::string_view text);

/// As written: one of `task` and `group`.
struct awaited {
  std::string task;  // an id, or the ref of a row of the same batch
  std::string group; // every task of this group that has not ended when this one is taken
  awaited_end on = awaited_end::succeeded;
  otherwise_do otherwise = otherwise_do::cancel;
  bool operator==(const awaited&) const = default;
};

/// As kept: for one task, or to be spread over a group.
struct edge {
  uuid parent;
  std::string group;
  awaited_end on = awaited_end::succeeded;
  otherwise_do otherwise = otherwise_do::cancel;
  bool operator==(const edge&) const = default;
};

/// [A-Za-z0-9_.:/-]{1,64}: refs and groups.
bool valid_ref(std::string_view text);

} // namespace taskmaster
