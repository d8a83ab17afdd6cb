// Looks into a JSON text that json_door let in, without building a tree: a value is a piece of the text. Numbers and payloads
// keep the very characters that were sent. Used by the readers of requests; a view is as short-lived as its text. Any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace taskmaster {

/// One reference token of a JSON pointer (RFC 6901): `~` and `/` escaped.
std::string pointer_token(std::string_view key);

class json_view {
public:
  enum class type : std::uint8_t { null, boolean, number, string, array, object };
  using member = std::pair<std::string, json_view>;

  json_view() = default; // null
  /// `checked` is one value that check_json let in, white space around it allowed.
  explicit json_view(std::string_view checked);

  type what() const;
  /// "a string", "an object", …: for sentences.
  std::string_view what_text() const;
  /// The value as it was written.
  std::string_view text() const { return text_; }

  bool null() const { return what() == type::null; }
  /// Nothing when it is of another type, or no whole number of 64 bits.
  std::optional<bool> boolean() const;
  std::optional<std::int64_t> integer() const;
  std::optional<double> number() const;
  std::optional<std::string> string() const;
  /// In the order written; empty for other types.
  std::vector<member> members() const;
  std::vector<json_view> elements() const;

private:
  std::string_view text_ = "null";
};

} // namespace taskmaster
