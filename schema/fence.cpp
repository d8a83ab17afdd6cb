#include "schema/fence.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace taskmaster {

namespace {

constexpr std::size_t signature_bytes = 16;

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

/// HMAC-SHA256 with one key, for one thread: 0.3 us a claim. OpenSSL's HMAC() looks its algorithm up and hashes the key each time, 1.6 us,
/// and each task is signed once and looked at once by the leader.
class keyed_mac {
public:
  /// The first `signature_bytes` of it, or empty when OpenSSL fails.
  std::string of(std::string_view text, std::string_view secret) {
    if (!context_ || key_ != secret) {
      if (!set_key(secret)) return {};
    } else if (!EVP_MAC_init(context_.get(), nullptr, 0, nullptr)) { // again with the same key
      return {};
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    std::size_t size = 0;
    if (!EVP_MAC_update(context_.get(), bytes(text), text.size()) ||
        !EVP_MAC_final(context_.get(), digest.data(), &size, digest.size()) || size < signature_bytes)
      return {};
    return {reinterpret_cast<const char*>(digest.data()), signature_bytes};
  }

private:
  static const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

  bool set_key(std::string_view secret) {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> algorithm(EVP_MAC_fetch(nullptr, "HMAC", nullptr), &EVP_MAC_free);
    context_.reset(algorithm ? EVP_MAC_CTX_new(algorithm.get()) : nullptr);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    if (!context_ || !EVP_MAC_init(context_.get(), bytes(secret), secret.size(), parameters)) {
      context_.reset();
      return false;
    }
    key_ = secret;
    return true;
  }

  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context_{nullptr, &EVP_MAC_CTX_free};
  std::string key_;
};

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
  thread_local keyed_mac mac;
  return mac.of(text, secret); // genuine() takes no empty signature: when it fails nothing passes
}

bool genuine(const claim& c, std::string_view worker, std::string_view secret, std::string_view signature) {
  auto expected = sign(c, worker, secret);
  return expected.size() == signature_bytes && signature.size() == signature_bytes &&
         CRYPTO_memcmp(expected.data(), signature.data(), signature_bytes) == 0;
}

} // namespace taskmaster
