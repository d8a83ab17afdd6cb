// Reads a payload that has to be an object of known fields, and remembers the first fault. Used by the executors' payload files;
// a value, one thread. Stored payloads are JSON already (the doors and PostgreSQL see to that), yet are not trusted here.
#pragma once
#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace taskmaster {

class payload_reader {
public:
  /// `json` may be the text "null" when `may_be_null`: then there are no fields.
  explicit payload_reader(std::string_view json, bool may_be_null = false);

  /// The field, or nothing. It counts as known from now on.
  const nlohmann::json* field(const std::string& name);
  /// As a string without NUL; another type is a fault.
  std::optional<std::string> text(const std::string& name);
  /// As an object of strings, NUL in neither names nor values.
  std::map<std::string, std::string> texts(const std::string& name);

  /// Keeps the first one. `message` starts with the field's JSON pointer.
  void fault(std::string message);
  /// Call last: a field that nobody asked for is a fault too. Nothing when all is good.
  std::optional<std::string> first_fault();

private:
  nlohmann::json json_;
  std::set<std::string> known_;
  std::optional<std::string> fault_;
};

/// "/env/A~1B": how a field within a field is named in messages.
std::string pointer(const std::string& field, const std::string& name);

} // namespace taskmaster
