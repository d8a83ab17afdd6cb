#include "actors/webhook_signature.hpp"

#include <algorithm>
#include <array>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace taskmaster {
namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::size_t least_bytes = 24, most_bytes = 64;

std::string lower(std::string host) {
  for (auto& c : host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return host;
}

std::string encode(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

std::optional<std::string> decode(std::string text) {
  while (text.size() % 4) text += '='; // padding may be left out
  std::string out(text.size() / 4 * 3 + 1, '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size()));
  if (n < 0) return {};
  const auto padding = static_cast<std::size_t>(std::count(text.begin(), text.end(), '='));
  if (padding > 2) return {};
  out.resize(static_cast<std::size_t>(n) - padding);
  return out;
}

} // namespace

expected<webhook_secrets> webhook_secrets::read(const std::vector<std::string>& texts) {
  webhook_secrets out;
  for (const auto& text : texts) {
    const auto at = text.find(prefix);
    const auto host = at == std::string::npos || at == 0 ? "" : lower(text.substr(0, at - 1));
    const auto named = host.empty() ? std::string("a webhook secret") : "the webhook secret of " + host;
    if (at == std::string::npos || (at > 0 && (text[at - 1] != '=' || host.empty())))
      return error(ec::invalid_argument, "a webhook secret has to be whsec_ and base64, or HOST=whsec_…; `openssl rand -base64 32` makes the base64");
    auto key = decode(text.substr(at + prefix.size()));
    if (!key) return error(ec::invalid_argument, named + " is not base64 after whsec_");
    if (key->size() < least_bytes || key->size() > most_bytes)
      return error(ec::invalid_argument, named + " has " + std::to_string(key->size()) + " bytes; it has to have " + std::to_string(least_bytes) + " to "
                                             + std::to_string(most_bytes));
    out.secrets_.push_back({host, std::move(*key)});
  }
  return out;
}

std::string webhook_secrets::sign(std::string_view host, std::string_view id, std::string_view timestamp, std::string_view body) const {
  const bool own = std::any_of(secrets_.begin(), secrets_.end(), [&](const secret& s) { return s.host == host; });
  const auto text = std::string(id) + "." + std::string(timestamp) + "." + std::string(body);
  std::string out;
  for (const auto& s : secrets_) {
    if (s.host != (own ? host : std::string_view())) continue;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    if (!HMAC(EVP_sha256(), s.key.data(), static_cast<int>(s.key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
              digest.data(), &size))
      return {};
    out += (out.empty() ? "v1," : " v1,") + encode({reinterpret_cast<const char*>(digest.data()), size});
  }
  return out;
}

std::string make_webhook_secret() {
  std::string key(32, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) != 1) return {};
  return std::string(prefix) + encode(key);
}

} // namespace taskmaster
