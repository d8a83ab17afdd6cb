// Webhooks: signatures by the convention, and what is posted.
#include "actors/webhook_executor.hpp"

#include "actors/outcomes.hpp"
#include "tests/executors/awaited.hpp"

using namespace taskmaster;
using namespace taskmaster::test;

namespace {

constexpr char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char other[] = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

webhook_secrets secrets(const std::vector<std::string>& texts) {
  auto read = webhook_secrets::read(texts);
  REQUIRE(read);
  return *read;
}

/// Stands where http_executor does: remembers the request, answers as told.
struct fake_http : executor {
  void start(execution what, done_callback done) override {
    seen.push_back(nlohmann::json::parse(*what.payload));
    done(answer);
  }
  void cancel(std::uint64_t) override {}
  void stop() override {}
  std::vector<nlohmann::json> seen;
  execution_result answer = succeeded_with(R"({"status":204,"headers":{},"body":""})");
};

struct webhook_fixture {
  explicit webhook_fixture(webhook_options o = {secrets({secret}), {}, {}}) {
    o.now = [] { return timestamp(std::chrono::seconds(1'614'265'330)); };
    hooks = std::make_unique<webhook_executor>(std::move(o), http);
  }
  execution_result tell(const std::string& url, const std::string& body = R"({"test": 2432232314})") {
    auto what = an_execution("webhook", nlohmann::json{{"url", url}, {"body", body}}.dump());
    what.task = *uuid::parse("01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
    return run_to_end(*hooks, std::move(what));
  }
  std::shared_ptr<fake_http> http = std::make_shared<fake_http>();
  std::unique_ptr<webhook_executor> hooks;
};

} // namespace

TEST_CASE("the signature is that of the convention's own example") {
  CHECK(secrets({secret}).sign("h", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", R"({"test": 2432232314})")
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("a host's own secrets sign for it alone, and of several each signs") {
  const auto s = secrets({secret, std::string("Hooks.example.ORG=") + other, std::string("hooks.example.org=") + secret});
  const auto plain = s.sign("elsewhere.org", "a", "1", "b"), own = s.sign("hooks.example.org", "a", "1", "b");
  CHECK(plain.size() == 3 + 44);
  CHECK(own.size() == 2 * (3 + 44) + 1);
  CHECK(own.ends_with(" " + plain));
  CHECK(secrets({std::string("a.org=") + other}).sign("b.org", "a", "1", "b").empty());
}

TEST_CASE("a secret that is none is refused, and not repeated") {
  for (const std::string text : {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_MfKQ9r8GKY!rTwjUPD8ILPZIo2LaLaSw", "=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}) {
    const auto read = webhook_secrets::read({text});
    REQUIRE_FALSE(read);
    CHECK(read.failure().message.find("rTwj") == std::string::npos);
  }
  CHECK(webhook_secrets::read({make_webhook_secret()}));
  CHECK(make_webhook_secret() != make_webhook_secret());
}

TEST_CASE("a webhook is posted as it was signed, with the same id at every attempt") {
  webhook_fixture f;
  CHECK(f.tell("https://hooks.example.org/x?y=1").outcome == run_outcome::succeeded);
  REQUIRE(f.http->seen.size() == 1);
  const auto& request = f.http->seen[0];
  CHECK(request["method"] == "POST");
  CHECK(request["url"] == "https://hooks.example.org/x?y=1");
  CHECK(request["body"] == R"({"test": 2432232314})");
  CHECK(request["headers"]["content-type"] == "application/json");
  CHECK(request["headers"]["webhook-id"] == "msg_01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1");
  CHECK(request["headers"]["webhook-timestamp"] == "1614265330");
  CHECK(request["headers"]["webhook-signature"]
        == secrets({secret}).sign("hooks.example.org", "msg_01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1", "1614265330", R"({"test": 2432232314})"));
  CHECK(request.dump().find("whsec") == std::string::npos);
}

TEST_CASE("who is not to be told is not: hosts outside the list, without a secret, and gone ones") {
  webhook_fixture f({secrets({secret}), {"hooks.example.org", ".internal"}, {}});
  CHECK(f.tell("https://hooks.example.org/").outcome == run_outcome::succeeded);
  CHECK(f.tell("http://a.internal:8080/").outcome == run_outcome::succeeded);
  for (const auto* url : {"http://127.0.0.1/", "https://hooks.example.org.evil.net/", "http://internal/", "http://.internal/"}) {
    CAPTURE(url);
    const auto r = f.tell(url);
    CHECK(r.outcome == run_outcome::refused);
    CHECK(code_of(r) == "not_allowed");
  }
  CHECK(f.tell("https://HOOKS.Example.org/").outcome == run_outcome::succeeded);
  webhook_fixture other_host({secrets({std::string("a.org=") + other}), {}, {}});
  CHECK(code_of(other_host.tell("https://b.org/")) == "no_secret");
  f.http->answer = failed_with("http_status", "the target answered 410 Gone");
  f.http->answer.result = R"({"status":410,"headers":{},"body":""})";
  CHECK(f.tell("https://hooks.example.org/").outcome == run_outcome::refused);
  f.http->answer.result = R"({"status":500,"headers":{},"body":"\"status\":410"})";
  CHECK(f.tell("https://hooks.example.org/").outcome == run_outcome::failed);
}
