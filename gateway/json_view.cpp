#include "gateway/json_view.hpp"

#include <charconv>

namespace taskmaster {
namespace {

constexpr bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::size_t skip_blank(std::string_view t, std::size_t at) {
  while (at < t.size() && blank(t[at])) ++at;
  return at;
}

/// Behind the string that begins at `at`.
std::size_t skip_string(std::string_view t, std::size_t at) {
  for (++at; at < t.size() && t[at] != '"'; ++at)
    if (t[at] == '\\') ++at;
  return at + 1;
}

/// Behind the value that begins at `at`. The text is known to be well-formed, so brackets need only be counted.
std::size_t skip_value(std::string_view t, std::size_t at) {
  if (t[at] == '"') return skip_string(t, at);
  if (t[at] == '{' || t[at] == '[') {
    std::size_t depth = 0;
    while (at < t.size()) {
      const char c = t[at];
      if (c == '"') {
        at = skip_string(t, at);
        continue;
      }
      ++at;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) break;
    }
    return at;
  }
  while (at < t.size() && !blank(t[at]) && t[at] != ',' && t[at] != ']' && t[at] != '}') ++at;
  return at;
}

unsigned hex4(std::string_view t, std::size_t at) {
  unsigned v = 0;
  std::from_chars(t.data() + at, t.data() + at + 4, v, 16);
  return v;
}

void append_utf8(std::string& out, unsigned c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

/// `quoted` with its quotation marks.
std::string unquote(std::string_view quoted) {
  const std::string_view t = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (t[i] != '\\') {
      out += t[i];
      continue;
    }
    switch (t[++i]) {
    case 'b': out += '\b'; break;
    case 'f': out += '\f'; break;
    case 'n': out += '\n'; break;
    case 'r': out += '\r'; break;
    case 't': out += '\t'; break;
    case 'u': {
      unsigned c = hex4(t, i + 1);
      i += 4;
      if (c >= 0xD800 && c < 0xDC00) { // the door saw to it that the other half follows
        c = 0x10000 + ((c - 0xD800) << 10) + (hex4(t, i + 3) - 0xDC00);
        i += 6;
      }
      append_utf8(out, c);
      break;
    }
    default: out += t[i];
    }
  }
  return out;
}

} // namespace

std::string pointer_token(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

json_view::json_view(std::string_view checked) {
  while (!checked.empty() && blank(checked.front())) checked.remove_prefix(1);
  while (!checked.empty() && blank(checked.back())) checked.remove_suffix(1);
  if (!checked.empty()) text_ = checked;
}

json_view::type json_view::what() const {
  switch (text_.front()) {
  case 'n': return type::null;
  case 't':
  case 'f': return type::boolean;
  case '"': return type::string;
  case '[': return type::array;
  case '{': return type::object;
  default: return type::number;
  }
}

std::string_view json_view::what_text() const {
  switch (what()) {
  case type::null: return "null";
  case type::boolean: return "a boolean";
  case type::number: return "a number";
  case type::string: return "a string";
  case type::array: return "an array";
  case type::object: return "an object";
  }
  return "null";
}

std::optional<bool> json_view::boolean() const {
  if (what() != type::boolean) return std::nullopt;
  return text_.front() == 't';
}

std::optional<std::int64_t> json_view::integer() const {
  if (what() != type::number) return std::nullopt;
  std::int64_t v = 0;
  const auto [end, fault] = std::from_chars(text_.data(), text_.data() + text_.size(), v);
  if (fault != std::errc() || end != text_.data() + text_.size()) return std::nullopt;
  return v;
}

std::optional<double> json_view::number() const {
  if (what() != type::number) return std::nullopt;
  double v = 0;
  // A number too small for a double reads as zero; one too great was refused at the door.
  std::from_chars(text_.data(), text_.data() + text_.size(), v);
  return v;
}

std::optional<std::string> json_view::string() const {
  if (what() != type::string) return std::nullopt;
  return unquote(text_);
}

std::vector<json_view::member> json_view::members() const {
  std::vector<member> out;
  if (what() != type::object) return out;
  for (std::size_t at = skip_blank(text_, 1); text_[at] != '}';) {
    const std::size_t key_end = skip_string(text_, at);
    std::string key = unquote(text_.substr(at, key_end - at));
    at = skip_blank(text_, skip_blank(text_, key_end) + 1); // over the colon
    const std::size_t end = skip_value(text_, at);
    out.emplace_back(std::move(key), json_view(text_.substr(at, end - at)));
    at = skip_blank(text_, end);
    if (text_[at] == ',') at = skip_blank(text_, at + 1);
  }
  return out;
}

std::vector<json_view> json_view::elements() const {
  std::vector<json_view> out;
  if (what() != type::array) return out;
  for (std::size_t at = skip_blank(text_, 1); text_[at] != ']';) {
    const std::size_t end = skip_value(text_, at);
    out.emplace_back(text_.substr(at, end - at));
    at = skip_blank(text_, end);
    if (text_[at] == ',') at = skip_blank(text_, at + 1);
  }
  return out;
}

} // namespace taskmaster
