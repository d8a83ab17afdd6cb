#include "schema/fence.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace taskmaster {

namespace {

constexpr std::size_t signature_bytes = 16;

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

bool read_number(std::string_view text, std::uint64_t& value) {
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc{} && end == text.data() + text.size() && !text.empty();
}

} // namespace

std::string fence::str() const {
  std::array<char, 48> text;
  auto n = std::snprintf(text.data(), text.size(), "%015llu-%012llu", static_cast<unsigned long long>(term),
                         static_cast<unsigned long long>(sequence));
  return {text.data(), static_cast<std::size_t>(n)};
}

fence fence::parse(std::string_view text) {
  fence f;
  auto dash = text.find('-');
  if (dash == text.npos || !read_number(text.substr(0, dash), f.term) ||
      !read_number(text.substr(dash + 1), f.sequence))
    return {};
  return f;
}

std::string sign(const claim& c, std::string_view worker, std::string_view secret) {
  // Fixed widths before the name, so that no two claims have the same text.
  std::string text(reinterpret_cast<const char*>(c.task.bytes.data()), c.task.bytes.size());
  put_number(text, static_cast<std::uint32_t>(c.attempt), 4);
  put_number(text, static_cast<std::uint32_t>(c.losses), 4);
  put_number(text, c.fence.term, 8);
  put_number(text, c.fence.sequence, 8);
  text += worker;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  if (!HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
            reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size) ||
      size < signature_bytes)
    return {}; // genuine() takes no empty signature, so nothing passes
  return {reinterpret_cast<const char*>(digest.data()), signature_bytes};
}

bool genuine(const claim& c, std::string_view worker, std::string_view secret, std::string_view signature) {
  auto expected = sign(c, worker, secret);
  return expected.size() == signature_bytes && signature.size() == signature_bytes &&
         CRYPTO_memcmp(expected.data(), signature.data(), signature_bytes) == 0;
}

} // namespace taskmaster
