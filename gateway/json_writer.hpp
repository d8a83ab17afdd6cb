// Writes JSON text piece by piece. Payloads and results go in as the text they are kept as, so that no digit of theirs is lost
// on a way through doubles. Used by everything that answers in JSON; an object is used by one thread.
#pragma once
#include "schema/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

class json_writer {
public:
  json_writer& begin_object() { return open('{'); }
  json_writer& end_object() { return close('}'); }
  json_writer& begin_array() { return open('['); }
  json_writer& end_array() { return close(']'); }
  json_writer& key(std::string_view name);

  /// Bytes that are no UTF-8 become U+FFFD: an answer is always JSON.
  json_writer& string(std::string_view s);
  json_writer& integer(std::int64_t v);
  /// The shortest form that reads back the same. Finite numbers only.
  json_writer& number(double v);
  json_writer& boolean(bool v);
  json_writer& null();
  /// A JSON value already written; null when empty.
  json_writer& raw(std::string_view json);

  // A member of an object: name and value.
  json_writer& field(std::string_view name, std::string_view s) { return key(name).string(s); }
  json_writer& field_or_null(std::string_view name, std::string_view s); // empty: null
  json_writer& field(std::string_view name, const std::optional<timestamp>& t); // nothing: null
  json_writer& field(std::string_view name, const std::vector<std::string>& texts);

  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

private:
  json_writer& open(char c);
  json_writer& close(char c);
  void before_value();

  std::string out_;
  bool comma_ = false; // a value stands before the next one on this level
};

} // namespace taskmaster
