#include "actors/payload_reader.hpp"

#include "actors/kept_output.hpp"

namespace taskmaster {

namespace {

// A level of nesting costs a stack frame when the value is written out again.
constexpr int deepest = 100;

bool has_nul(const std::string& s) { return s.find('\0') != s.npos; }

} // namespace

payload_reader::payload_reader(std::string_view json, bool may_be_null) {
  bool too_deep = false;
  json_ = nlohmann::json::parse(
      json,
      [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
        if (depth > deepest) too_deep = true;
        return !too_deep;
      },
      false);
  if (too_deep) {
    fault("the payload is nested deeper than " + std::to_string(deepest) + " levels");
    json_ = nullptr;
  } else if (!json_.is_object() && !(may_be_null && json_.is_null())) {
    fault("the payload has to be a JSON object");
    json_ = nullptr;
  }
}

const nlohmann::json* payload_reader::field(const std::string& name) {
  known_.insert(name);
  if (!json_.is_object()) return nullptr;
  const auto i = json_.find(name);
  return i == json_.end() ? nullptr : &*i;
}

std::optional<std::string> payload_reader::text(const std::string& name) {
  const auto* value = field(name);
  if (!value) return {};
  if (!value->is_string()) {
    fault("/" + name + " has to be a string");
    return {};
  }
  auto result = value->get<std::string>();
  if (has_nul(result)) {
    fault("/" + name + " contains a NUL character, which no program can be given");
    return {};
  }
  return result;
}

std::map<std::string, std::string> payload_reader::texts(const std::string& name) {
  std::map<std::string, std::string> result;
  const auto* value = field(name);
  if (!value) return result;
  if (!value->is_object()) {
    fault("/" + name + " has to be an object of strings");
    return result;
  }
  for (const auto& [key, entry] : value->items()) {
    if (!entry.is_string()) {
      fault(pointer(name, key) + " has to be a string");
    } else if (has_nul(key) || has_nul(entry.get_ref<const std::string&>())) {
      fault(pointer(name, key) + " contains a NUL character, which no program can be given");
    } else {
      result.emplace(key, entry.get<std::string>());
    }
  }
  return result;
}

void payload_reader::fault(std::string message) {
  if (!fault_) fault_ = clean_text(message);
}

std::optional<std::string> payload_reader::first_fault() {
  if (fault_) return fault_;
  if (!json_.is_object()) return {};
  for (const auto& [key, value] : json_.items()) {
    if (known_.count(key)) continue;
    std::string names;
    for (const auto& known : known_) names += (names.empty() ? "" : ", ") + known;
    fault(pointer("", key) + " is not a field of this kind's payload; known are " + names);
    break;
  }
  return fault_;
}

std::string pointer(const std::string& field, const std::string& name) {
  std::string result = field.empty() ? "/" : "/" + field + "/";
  for (const char c : name) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

} // namespace taskmaster
