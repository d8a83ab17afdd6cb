// What is kept of a text of any length: the first 64 KiB, as UTF-8 that JSON and PostgreSQL take, and its last line for the error
// message. Used by the shell and http executors. Not shared between threads.
#pragma once
#include "schema/task.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace taskmaster {

class kept_output {
public:
  explicit kept_output(std::size_t limit = limits::output_bytes) : limit_(limit) {}

  /// Memory stays bounded whatever arrives.
  void append(std::string_view bytes);

  /// At most `limit` bytes of clean text (see clean_text), then "\n[cut: N bytes more]" if anything is missing.
  /// `escaped_limit` bounds its size inside of a JSON string too, where a control character takes six bytes.
  std::string text(std::size_t escaped_limit = std::numeric_limits<std::size_t>::max()) const;

  /// The last line that is not blank of all that was appended, cut to 500 bytes; empty if there is none.
  std::string last_line() const;

private:
  std::size_t limit_;
  std::uint64_t seen_ = 0;
  std::string head_, tail_;
};

/// Bytes that are no UTF-8 (each maximal ill-formed part), and NUL, become U+FFFD.
std::string clean_text(std::string_view bytes);

} // namespace taskmaster
