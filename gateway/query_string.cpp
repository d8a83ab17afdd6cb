#include "gateway/query_string.hpp"

#include "gateway/utf8.hpp"

#include <charconv>

namespace taskmaster {
namespace {

expected<std::string> decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] == '%') {
      unsigned value = 0;
      const auto* from = text.data() + i + 1;
      if (i + 2 >= text.size()) return error(ec::invalid_argument, "The address ends in the middle of a %-escape.");
      const auto [end, fault] = std::from_chars(from, from + 2, value, 16);
      if (fault != std::errc() || end != from + 2)
        return error(ec::invalid_argument, "The address holds a % that two hexadecimal digits do not follow; write %25 for the sign itself.");
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  if (out.find('\0') != std::string::npos) return error(ec::invalid_argument, "The address holds a NUL character.");
  if (!valid_utf8(out)) return error(ec::invalid_argument, "The address holds bytes that are no UTF-8.");
  return out;
}

} // namespace

expected<query_parameters> parse_query(std::string_view query) {
  query_parameters out;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto name = decode(part.substr(0, equals), true);
    if (!name) return std::move(name.failure());
    auto value = decode(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1), true);
    if (!value) return std::move(value.failure());
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

expected<std::string> decode_path_part(std::string_view part) { return decode(part, false); }

} // namespace taskmaster
