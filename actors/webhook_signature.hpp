// Signatures of the Standard Webhooks convention: HMAC-SHA256 with a shared secret over "ID.TIMESTAMP.BODY", as
// "v1,BASE64"; of several secrets one after the other, so that a secret can be changed while both are good. Pure; any thread.
#pragma once
#include "schema/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

/// The secrets of webhooks: for every host, or for some.
class webhook_secrets {
public:
  /// Each "whsec_BASE64" or "HOST=whsec_BASE64", 24 to 64 bytes. ec::invalid_argument, without repeating the secret.
  static expected<webhook_secrets> read(const std::vector<std::string>& texts);

  bool empty() const { return secrets_.empty(); }
  /// The value of webhook-signature, by the host's own secrets, else by those for every host. Empty: there is none.
  std::string sign(std::string_view host, std::string_view id, std::string_view timestamp, std::string_view body) const;

private:
  struct secret {
    std::string host; // empty: every
    std::string key;
  };
  std::vector<secret> secrets_;
};

/// A new "whsec_…".
std::string make_webhook_secret();

} // namespace taskmaster
