#include "schema/postgres_faults.hpp"

#include <algorithm>

namespace taskmaster::postgres {

ec code_of(std::string_view sqlstate, effect what) {
  auto group = sqlstate.substr(0, 2);
  if (sqlstate == "TM001") return ec::deposed;
  if (sqlstate == "TM002") return ec::not_found;
  if (sqlstate == "TM003") return ec::conflict;
  if (group == "22" || group == "23") return ec::invalid_argument;
  if (sqlstate == "54000" || sqlstate == "54023") // an index row or an argument list that is too large
    return ec::invalid_argument;
  if (sqlstate == "57014") return ec::deadline_exceeded;
  // The server ends this session. With a synchronous standby the commit may be on disk already.
  if (sqlstate == "57P01" || sqlstate == "57P02" || group == "08")
    return what == effect::write ? ec::ambiguous : ec::unavailable;
  // Locks, deadlocks, serialisation, memory, disk, connections, read-only, a schema that is missing: nothing
  // was changed.
  if (group == "40" || group == "53" || group == "55" || group == "57" || group == "58" || group == "25" ||
      group == "42" || group == "3F" || group == "0A" || group == "26")
    return ec::unavailable;
  return ec::internal;
}

std::string advice_for(std::string_view sqlstate) {
  if (sqlstate == "42P01" || sqlstate == "42883" || sqlstate == "42703" || sqlstate == "3F000")
    return "; the taskmaster schema is missing or older than this binary: run taskmaster migrate";
  if (sqlstate == "42501") return "; the database role lacks a right: see the log";
  if (sqlstate == "53100") return "; the database's disk is full";
  if (sqlstate == "25006") return "; this server only reads, it may be a standby";
  return {};
}

bool needs_somebody(std::string_view sqlstate) {
  return sqlstate.substr(0, 2) == "28" // password, pg_hba.conf, no such role
         || sqlstate == "3D000"        // no such database
         || sqlstate == "42501"        // a right is missing
         || sqlstate == "22023"        // a parameter of the URI that the server does not take
         || sqlstate == "0P000" || sqlstate == "42704"; // no such role, no such setting
}

std::string state_of_refusal(std::string_view text) {
  const auto letter = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  for (auto at = text.find(":  "); at != text.npos; at = text.find(":  ", at + 1)) {
    const auto state = text.substr(at + 3, 5);
    if (state.size() == 5 && std::all_of(state.begin(), state.end(), letter) && text.substr(at + 8, 2) == ": ") return std::string(state);
  }
  return {};
}

} // namespace taskmaster::postgres
