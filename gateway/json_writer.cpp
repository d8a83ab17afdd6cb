#include "gateway/json_writer.hpp"

#include "gateway/utf8.hpp"

#include <charconv>

namespace taskmaster {
namespace {

void append_quoted(std::string& out, std::string_view s) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  while (!s.empty()) {
    const std::size_t n = utf8_length(s);
    const char c = s.front();
    if (n == 0) {
      out += "\xEF\xBF\xBD";
    } else if (n > 1) {
      out.append(s.data(), n);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[c & 15];
    } else {
      out += c;
    }
    s.remove_prefix(n == 0 ? 1 : n);
  }
  out += '"';
}

} // namespace

void json_writer::before_value() {
  if (comma_) out_ += ',';
  comma_ = true;
}

json_writer& json_writer::open(char c) {
  before_value();
  out_ += c;
  comma_ = false;
  return *this;
}

json_writer& json_writer::close(char c) {
  out_ += c;
  comma_ = true;
  return *this;
}

json_writer& json_writer::key(std::string_view name) {
  before_value();
  append_quoted(out_, name);
  out_ += ':';
  comma_ = false;
  return *this;
}

json_writer& json_writer::string(std::string_view s) {
  before_value();
  append_quoted(out_, s);
  return *this;
}

json_writer& json_writer::integer(std::int64_t v) {
  before_value();
  out_ += std::to_string(v);
  return *this;
}

json_writer& json_writer::number(double v) {
  before_value();
  char text[32];
  const auto [end, fault] = std::to_chars(text, text + sizeof text, v);
  out_.append(text, end);
  return *this;
}

json_writer& json_writer::boolean(bool v) {
  before_value();
  out_ += v ? "true" : "false";
  return *this;
}

json_writer& json_writer::null() {
  before_value();
  out_ += "null";
  return *this;
}

json_writer& json_writer::raw(std::string_view json) {
  before_value();
  out_ += json.empty() ? std::string_view("null") : json;
  return *this;
}

json_writer& json_writer::field_or_null(std::string_view name, std::string_view s) {
  key(name);
  return s.empty() ? null() : string(s);
}

json_writer& json_writer::field(std::string_view name, const std::optional<timestamp>& t) {
  key(name);
  return t ? string(format_timestamp(*t)) : null();
}

json_writer& json_writer::field(std::string_view name, const std::vector<std::string>& texts) {
  key(name).begin_array();
  for (const auto& t : texts) string(t);
  return end_array();
}

} // namespace taskmaster
