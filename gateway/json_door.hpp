// The strict door for JSON from outside: what passes has one meaning to every reader. Used by the HTTP gateway for bodies
// and by the gRPC service for payloads. Pure functions, any thread.
#pragma once
#include "gateway/json_view.hpp"
#include "schema/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace taskmaster {

/// Levels of arrays and objects that a document may nest.
constexpr std::size_t json_depth = 100;

/// Nothing when `text` is one JSON value (RFC 8259) without duplicate keys, more than 100 levels, numbers that no double
/// reaches, bytes that are no UTF-8, or NUL characters (PostgreSQL's text cannot hold them). Else ec::invalid_argument with
/// line and column, or the JSON pointer of the place. Builds no tree: memory is bounded by the keys of the open objects.
std::optional<error> check_json(std::string_view text);

/// Checks, then shows the value. The view looks into `text`, which has to outlive it.
expected<json_view> open_json(std::string_view text);

/// A checked text without the white space between its tokens. Numbers and strings stay as they were written, so that an
/// integer of thirty digits reaches the task as given.
std::string compact_json(std::string_view checked);

} // namespace taskmaster
