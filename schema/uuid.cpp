#include "schema/uuid.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/random.h>

namespace taskmaster {

namespace {

// A system call costs more than the id, so each thread fetches the bits of many ids at once. We never fork
// without exec, so no two processes hold the same buffer.
void random_bytes(std::uint8_t* out, std::size_t count) {
  thread_local std::array<std::uint8_t, 510> buffer;
  thread_local std::size_t used = buffer.size();
  if (buffer.size() - used < count) {
    std::size_t got = 0;
    while (got < buffer.size()) {
      auto n = ::getrandom(buffer.data() + got, buffer.size() - got, 0);
      if (n < 0 && errno != EINTR) std::abort(); // ids that may collide would be worse
      got += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    used = 0;
  }
  std::memcpy(out, buffer.data() + used, count);
  used += count;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool dash_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

} // namespace

uuid uuid::make(timestamp now) {
  // "Monotonic random" of RFC 9562, 6.2: within a millisecond the last id plus a random step. The base leaves its highest bit free, so that a
  // billion steps do not run over.
  thread_local std::uint64_t last_ms = ~std::uint64_t{0}, last_tail = 0;
  thread_local uuid id;
  const auto ms = static_cast<std::uint64_t>(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count());
  if (ms == last_ms) {
    std::uint32_t step = 0;
    random_bytes(reinterpret_cast<std::uint8_t*>(&step), sizeof step);
    last_tail += 1 + std::uint64_t{step};
  } else {
    last_ms = ms;
    for (int i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
    random_bytes(id.bytes.data() + 6, 2);
    id.bytes[6] = (id.bytes[6] & 0x0f) | 0x70; // version 7
    random_bytes(reinterpret_cast<std::uint8_t*>(&last_tail), sizeof last_tail);
    last_tail &= ~std::uint64_t{0} >> 3;
  }
  const auto tail = last_tail | std::uint64_t{1} << 63; // the variant of RFC 9562 above 62 bits
  for (int i = 0; i < 8; ++i) id.bytes[8 + i] = static_cast<std::uint8_t>(tail >> (8 * (7 - i)));
  return id;
}

std::optional<uuid> uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    int high = hex_value(text[at]), low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return id;
}

std::string uuid::str() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (dash_before(i)) text += '-';
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

timestamp uuid::time() const {
  std::uint64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | bytes[i];
  return timestamp{std::chrono::milliseconds(ms)};
}

} // namespace taskmaster

std::size_t std::hash<taskmaster::uuid>::operator()(const taskmaster::uuid& id) const noexcept {
  // The random half of a version 7 id; the multiplication spreads ids that others made.
  std::uint64_t high, low;
  std::memcpy(&high, id.bytes.data(), 8);
  std::memcpy(&low, id.bytes.data() + 8, 8);
  auto mixed = (low ^ (high << 32 | high >> 32)) * 0x9e3779b97f4a7c15ull;
  return static_cast<std::size_t>(mixed ^ mixed >> 32);
}
