// Who signs webhooks and where they may go, out of a worker's settings.
#include "cluster/webhook_settings.hpp"
#include "tests/catch.hpp"
#include "tests/cluster/temporary_folder.hpp"

#include <fstream>
#include <sys/stat.h>

using namespace taskmaster;

namespace {

std::string fault_of(const node_settings& s) {
  const auto read = webhooks_of(s, {});
  return read ? "" : read.failure().message;
}

} // namespace

TEST_CASE("without a secret no webhook is signed, unless a folder keeps one, which the owner alone can read") {
  node_settings s;
  CHECK(webhooks_of(s, {})->secrets.empty());
  temporary_folder f;
  const auto first = webhooks_of(s, f.path), again = webhooks_of(s, f.path);
  REQUIRE(first);
  REQUIRE(again);
  CHECK_FALSE(first->secrets.sign("h", "a", "1", "b").empty());
  CHECK(first->secrets.sign("h", "a", "1", "b") == again->secrets.sign("h", "a", "1", "b"));
  struct stat about {};
  REQUIRE(::stat((f.path / "webhook-secret").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  std::ofstream(f.path / "webhook-secret") << "";
  CHECK_FALSE(webhooks_of(s, f.path)); // rather than another secret than receivers know
}

TEST_CASE("settings of webhooks that make no sense are told, the secret is not") {
  node_settings s;
  s.kinds = {"webhook"};
  CHECK(fault_of(s).find("--webhook-secret") != std::string::npos);
  s.webhook_secrets = {"whsec_c2hvcnQtc2VjcmV0"};
  CHECK(fault_of(s).find("12 bytes") != std::string::npos);
  CHECK(fault_of(s).find("c2hv") == std::string::npos);
  s.webhook_secrets = {make_webhook_secret()};
  CHECK(fault_of(s).empty());
  for (const auto* host : {"https://hooks.example.org", "hooks.example.org/x", "hooks.example.org:443", "", ".", "*.example.org"}) {
    CAPTURE(host);
    s.webhook_hosts = {"good.example.org", host};
    CHECK(fault_of(s).find("--webhook-allow") != std::string::npos);
  }
  s.webhook_hosts = {"Hooks.Example.org", ".internal"};
  CHECK(webhooks_of(s, {})->allowed == std::vector<std::string>{"hooks.example.org", ".internal"});
}
