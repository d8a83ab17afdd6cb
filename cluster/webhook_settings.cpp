#include "cluster/webhook_settings.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace taskmaster {
namespace {

expected<std::string> kept_secret(const std::filesystem::path& file) {
  const auto fault = [&](const std::string& what) { return error(ec::unavailable, "cannot " + what + " " + file.string() + ", the secret that signs webhooks"); };
  std::string text;
  if (std::filesystem::exists(file)) {
    std::ifstream in(file);
    if (!(in >> text)) return fault("read");
    return text;
  }
  text = make_webhook_secret();
  const int f = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (f < 0) return fault("make");
  const auto line = text + "\n";
  const bool written = ::write(f, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(f) == 0;
  ::close(f);
  if (!written) return fault("write");
  return text;
}

} // namespace

expected<webhook_options> webhooks_of(const node_settings& settings, const std::filesystem::path& folder) {
  auto texts = settings.webhook_secrets;
  if (texts.empty() && !folder.empty()) {
    auto kept = kept_secret(folder / "webhook-secret");
    if (!kept) return kept.failure();
    texts.push_back(std::move(*kept));
    spdlog::info("webhooks are signed with the secret in {}", (folder / "webhook-secret").string());
  }
  auto secrets = webhook_secrets::read(texts);
  if (!secrets) return secrets.failure();
  const bool wanted = std::find(settings.kinds.begin(), settings.kinds.end(), "webhook") != settings.kinds.end();
  if (wanted && secrets->empty()) return error(ec::invalid_argument, "the kind webhook needs a secret: --webhook-secret, or TASKMASTER_WEBHOOK_SECRET");
  webhook_options out;
  out.secrets = std::move(*secrets);
  for (auto host : settings.webhook_hosts) {
    if (host.empty() || host == "." || host.find_first_of("/:@*[] ") != std::string::npos)
      return error(ec::invalid_argument, "--webhook-allow takes hosts such as hooks.example.org or .example.org, and not '" + host + "'");
    for (auto& c : host)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    out.allowed.push_back(std::move(host));
  }
  return out;
}

} // namespace taskmaster
