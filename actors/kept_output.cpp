#include "actors/kept_output.hpp"

namespace taskmaster {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD
constexpr std::size_t tail_bytes = 1024;
constexpr std::size_t line_bytes = 500;

struct character {
  std::size_t bytes = 1;
  bool good = false;
  bool incomplete = false; // the bytes end before the character does
};

// The well-formed sequences of Unicode's table 3-7; the second byte's range depends on the first.
character first_character(std::string_view s) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = at(0);
  if (lead == 0) return {1, false, false};
  if (lead < 0x80) return {1, true, false};
  std::size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i == s.size()) return {i, false, true};
    if (at(i) < low || at(i) > high) return {i, false, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true, false};
}

std::size_t escaped_size(std::string_view c) {
  const auto byte = static_cast<unsigned char>(c[0]);
  if (byte == '"' || byte == '\\' || byte == '\n' || byte == '\r' || byte == '\t' || byte == '\b' || byte == '\f')
    return 2;
  return byte < 0x20 ? 6 : c.size();
}

// Appends to `out` what fits in both limits; returns how many of the bytes that took. A character cut off by the end of `bytes`
// is left out when more bytes followed it in the stream.
std::size_t clean_into(std::string& out, std::string_view bytes, bool more_follow, std::size_t limit,
                       std::size_t escaped_limit) {
  std::size_t used = 0, escaped = 0;
  while (used < bytes.size()) {
    const auto c = first_character(bytes.substr(used));
    if (c.incomplete && more_follow) break;
    const auto text = c.good ? bytes.substr(used, c.bytes) : replacement;
    const auto cost = escaped_size(text);
    if (out.size() + text.size() > limit || escaped + cost > escaped_limit) break;
    out += text;
    escaped += cost;
    used += c.bytes;
  }
  return used;
}

} // namespace

void kept_output::append(std::string_view bytes) {
  seen_ += bytes.size();
  if (head_.size() < limit_) head_ += bytes.substr(0, limit_ - head_.size());
  if (bytes.size() > tail_bytes) bytes.remove_prefix(bytes.size() - tail_bytes);
  if (tail_.size() + bytes.size() > 2 * tail_bytes) tail_.erase(0, tail_.size() - tail_bytes);
  tail_ += bytes;
}

std::string kept_output::text(std::size_t escaped_limit) const {
  std::string out;
  const auto used = clean_into(out, head_, seen_ > head_.size(), limit_, escaped_limit);
  if (used < seen_) out += "\n[cut: " + std::to_string(seen_ - used) + " bytes more]";
  return out;
}

std::string kept_output::last_line() const {
  std::string_view rest = tail_;
  const auto last = rest.find_last_not_of(" \t\r\n");
  if (last == rest.npos) return {};
  rest = rest.substr(0, last + 1);
  if (const auto newline = rest.find_last_of("\r\n"); newline != rest.npos) rest.remove_prefix(newline + 1);
  std::string out;
  clean_into(out, rest, false, line_bytes, std::string::npos);
  return out;
}

std::string clean_text(std::string_view bytes) {
  std::string out;
  clean_into(out, bytes, false, std::string::npos, std::string::npos);
  return out;
}

} // namespace taskmaster
