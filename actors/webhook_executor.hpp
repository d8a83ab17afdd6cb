// Runs tasks of kind `webhook`, which tell a URL of another task's outcome (schema/webhook.hpp): signs the body by the Standard Webhooks
// convention and posts it as the kind `http` does. The secrets are this worker's: they stand in no task and no log.
#pragma once
#include "actors/executor.hpp"
#include "actors/webhook_signature.hpp"

#include <functional>

namespace taskmaster {

struct webhook_options {
  webhook_secrets secrets;
  /// Hosts that may be told: "hooks.example.org", or ".example.org" for everything below it. Empty: every host, as for tasks of kind `http`.
  std::vector<std::string> allowed;
  std::function<timestamp()> now; // for webhook-timestamp; the machine's clock when empty
};

/// As http_executor says of answers; 410 (Gone), a host that is not allowed and one without a secret are not tried again.
class webhook_executor : public executor {
public:
  webhook_executor(webhook_options options, std::shared_ptr<executor> http);

  void start(execution what, done_callback done) override;
  void cancel(std::uint64_t run) override { http_->cancel(run); }
  void stop() override { http_->stop(); }

private:
  bool allows(std::string_view host) const;

  const webhook_options options_;
  const std::shared_ptr<executor> http_;
};

} // namespace taskmaster
