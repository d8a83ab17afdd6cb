#include "actors/webhook_executor.hpp"

#include "actors/http_payload.hpp"
#include "actors/outcomes.hpp"
#include "actors/payload_reader.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace taskmaster {
namespace {

std::shared_ptr<const std::string> payload(nlohmann::json value) { return std::make_shared<const std::string>(value.dump()); }

} // namespace

webhook_executor::webhook_executor(webhook_options options, std::shared_ptr<executor> http) : options_(std::move(options)), http_(std::move(http)) {}

bool webhook_executor::allows(std::string_view host) const {
  return options_.allowed.empty() || std::any_of(options_.allowed.begin(), options_.allowed.end(), [&](const std::string& name) {
           return name.starts_with('.') ? host.size() > name.size() && host.ends_with(name) : host == name;
         });
}

void webhook_executor::start(execution what, done_callback done) {
  payload_reader reader(what.payload ? *what.payload : std::string("null"));
  const auto url = reader.text("url"), body = reader.text("body");
  if (!url || !body) reader.fault("/url and /body have to be there");
  if (auto fault = reader.first_fault()) return done(payload_refused(*fault));
  auto request = what;
  request.payload = payload({{"method", "POST"}, {"url", *url}});
  const auto target = parse_http_payload(request);
  if (!target) return done(payload_refused(target.failure().message));
  if (!allows(target->host)) return done(refused_with("not_allowed", "webhooks to " + target->host + " are not allowed here (--webhook-allow)"));
  const auto now = options_.now ? options_.now() : std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
  const auto id = "msg_" + what.task.str(); // the same for every attempt: receivers tell repetitions by it
  const auto second = std::to_string(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
  const auto signature = options_.secrets.sign(target->host, id, second, *body);
  if (signature.empty()) return done(refused_with("no_secret", "this worker has no webhook secret for " + target->host + " (--webhook-secret)"));
  request.payload = payload({{"method", "POST"},
                             {"url", *url},
                             {"headers",
                              {{"content-type", "application/json"},
                               {"user-agent", "taskmaster-webhook"},
                               {"webhook-id", id},
                               {"webhook-timestamp", second},
                               {"webhook-signature", signature}}},
                             {"body", *body}});
  http_->start(std::move(request), [done = std::move(done)](execution_result r) {
    // Gone: whoever was told does not want to be any more.
    const auto result = r.outcome == run_outcome::failed ? nlohmann::json::parse(r.result, nullptr, false) : nlohmann::json();
    if (result.is_object() && result.value("status", nlohmann::json()) == 410) r.outcome = run_outcome::refused;
    done(std::move(r));
  });
}

} // namespace taskmaster
