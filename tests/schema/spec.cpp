#include "schema/task.hpp"

#include "tests/catch.hpp"

#include <limits>

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

const timestamp now{1'700'000'000s};

task_spec good() {
  task_spec spec;
  spec.kind = "shell";
  spec.payload = R"({"command":"true"})";
  return spec;
}

/// "<code> <fields>" of what validate says, "good" when nothing.
std::string judged(const task_spec& spec) {
  auto e = validate(spec, now);
  if (!e) return "good";
  std::string text{to_string(e->code)};
  for (const auto& f : e->faults) text += " " + f.field;
  return text;
}

template <class F>
std::string judged_with(F change) {
  auto spec = good();
  change(spec);
  return judged(spec);
}

} // namespace

TEST_CASE("a plain task is good") {
  CHECK(judged(good()) == "good");
  CHECK(judged_with([](auto& s) {
          s.kind = "a.b-c_9";
          s.queue = std::string(64, 'q');
        }) == "good");
}

TEST_CASE("faults of form answer 400") {
  CHECK(judged_with([](auto& s) { s.kind = ""; }) == "invalid_argument /kind");
  CHECK(judged_with([](auto& s) { s.kind = "Shell"; }) == "invalid_argument /kind");
  CHECK(judged_with([](auto& s) { s.kind = std::string(65, 'k'); }) == "invalid_argument /kind");
  CHECK(judged_with([](auto& s) { s.queue = "a b"; }) == "invalid_argument /queue");
  CHECK(judged_with([](auto& s) { s.payload = "{"; }) == "invalid_argument /payload");
  CHECK(judged_with([](auto& s) { s.payload = ""; }) == "invalid_argument /payload");
  CHECK(judged_with([](auto& s) { s.payload = "\"\xff\""; }) == "invalid_argument /payload");
  CHECK(judged_with([](auto& s) {
          s.run_at = now;
          s.delay = 1s;
        }) == "invalid_argument /delay");
  CHECK(judged_with([](auto& s) { s.delay = -1s; }) == "invalid_argument /delay");
  CHECK(judged_with([](auto& s) { s.timeout = -1s; }) == "invalid_argument /timeout");
  CHECK(judged_with([](auto& s) { s.unique_key = std::string("a\0b", 3); }) ==
        "invalid_argument /unique_key");
  CHECK(judged_with([](auto& s) { s.concurrency_key = "\xc0\x80"; }) == "invalid_argument /concurrency_key");
  CHECK(judged_with([](auto& s) { s.idempotency_key = "\xed\xa0\x80"; }) ==
        "invalid_argument /idempotency_key");
  CHECK(judged_with([](auto& s) { s.labels["a"] = "\xf4\x90\x80\x80"; }) == "invalid_argument /labels/a");
  CHECK(judged_with([](auto& s) { s.labels["\xff"] = ""; }) == "invalid_argument /labels");
  CHECK(judged_with([](auto& s) { s.labels["\xe2\x82"] = ""; }) == "invalid_argument /labels");
  CHECK(judged_with([](auto& s) { s.retry.factor = std::numeric_limits<double>::quiet_NaN(); }) ==
        "invalid_argument /retry/factor");
}

TEST_CASE("limits and rules answer 422, just past the limit and not at it") {
  CHECK(judged_with([](auto& s) { s.run_at = now + limits::horizon; }) == "good");
  CHECK(judged_with([](auto& s) { s.run_at = now + limits::horizon + 1us; }) == "unprocessable /run_at");
  CHECK(judged_with([](auto& s) { s.run_at = now - 1h; }) == "good");
  CHECK(judged_with([](auto& s) { s.delay = limits::horizon + 1us; }) == "unprocessable /delay");
  CHECK(judged_with([](auto& s) { s.priority = 9; }) == "good");
  CHECK(judged_with([](auto& s) { s.priority = 10; }) == "unprocessable /priority");
  CHECK(judged_with([](auto& s) { s.priority = -1; }) == "unprocessable /priority");
  CHECK(judged_with([](auto& s) { s.max_attempts = 1000; }) == "good");
  CHECK(judged_with([](auto& s) { s.max_attempts = 1001; }) == "unprocessable /max_attempts");
  CHECK(judged_with([](auto& s) { s.max_attempts = 0; }) == "unprocessable /max_attempts");
  CHECK(judged_with([](auto& s) { s.timeout = limits::timeout + 1us; }) == "unprocessable /timeout");
  CHECK(judged_with([](auto& s) { s.retry.factor = 0.5; }) == "unprocessable /retry/factor");
  CHECK(judged_with([](auto& s) { s.retry.jitter = 1.1; }) == "unprocessable /retry/jitter");
  CHECK(judged_with([](auto& s) { s.unique_key = std::string(256, 'k'); }) == "good");
  CHECK(judged_with([](auto& s) { s.unique_key = std::string(257, 'k'); }) == "unprocessable /unique_key");
  CHECK(judged_with([](auto& s) { s.labels["a/b~c"] = std::string(257, 'v'); }) ==
        "unprocessable /labels/a~1b~0c");
}

TEST_CASE("a task must be able to start before it expires") {
  CHECK(judged_with([](auto& s) {
          s.run_at = now + 1h;
          s.expires_at = now + 1h;
        }) == "unprocessable /expires_at");
  CHECK(judged_with([](auto& s) {
          s.run_at = now + 1h;
          s.expires_at = now + 1h + 1us;
        }) == "good");
  CHECK(judged_with([](auto& s) {
          s.delay = 1h;
          s.expires_at = now + 30min;
        }) == "unprocessable /expires_at");
  CHECK(judged_with([](auto& s) { s.expires_at = now; }) == "unprocessable /expires_at");
  CHECK(judged_with([](auto& s) {
          s.delay = duration::max();
          s.expires_at = now;
        }) == "unprocessable /delay");
}

TEST_CASE("at_most_once means one attempt; the default of five is not held against it") {
  auto with = [](std::int32_t attempts) {
    return judged_with([&](auto& s) {
      s.delivery = delivery_mode::at_most_once;
      s.max_attempts = attempts;
    });
  };
  CHECK(with(5) == "good");
  CHECK(with(1) == "good");
  CHECK(with(2) == "unprocessable /max_attempts");
}

TEST_CASE("labels are counted") {
  auto with = [](int n) {
    return judged_with([&](auto& s) {
      for (int i = 0; i < n; ++i) s.labels["l" + std::to_string(i)] = "v";
    });
  };
  CHECK(with(32) == "good");
  CHECK(with(33) == "unprocessable /labels");
}

TEST_CASE("a payload over 1 MiB answers 413 and names the limit") {
  auto spec = good();
  spec.payload = "\"" + std::string(limits::payload_bytes - 2, 'x') + "\"";
  CHECK(judged(spec) == "good");
  spec.payload += " ";
  CHECK(judged(spec) == "too_large /payload");
  CHECK(validate(spec, now)->message.find("1048576") != std::string::npos);
}

TEST_CASE("every fault is told, and the form weighs most") {
  auto spec = good();
  spec.kind = "";
  spec.priority = 10;
  spec.max_attempts = 0;
  CHECK(judged(spec) == "invalid_argument /kind /priority /max_attempts");
  CHECK(validate(spec, now)->message.find("and 2 more") != std::string::npos);
}

TEST_CASE("a fingerprint changes with each field that a repeated key has to find unchanged") {
  const auto first = fingerprint(good());
  CHECK(first.size() == 32);
  CHECK(fingerprint(good()) == first);
  auto same = good();
  same.idempotency_key = "k";
  CHECK(fingerprint(same) == first);
  for (auto change :
       {+[](task_spec& s) { s.kind = "x"; }, +[](task_spec& s) { s.payload = "1"; },
        +[](task_spec& s) { s.queue = "x"; }, +[](task_spec& s) { s.run_at = now; },
        +[](task_spec& s) { s.delay = 1s; }, +[](task_spec& s) { s.priority = 1; },
        +[](task_spec& s) { s.timeout = 1s; }, +[](task_spec& s) { s.expires_at = now; },
        +[](task_spec& s) { s.max_attempts = 1; }, +[](task_spec& s) { s.retry.initial = 2s; },
        +[](task_spec& s) { s.retry.factor = 3; }, +[](task_spec& s) { s.retry.max = 1s; },
        +[](task_spec& s) { s.retry.jitter = 0; },
        +[](task_spec& s) { s.delivery = delivery_mode::at_most_once; },
        +[](task_spec& s) { s.unique_key = "x"; }, +[](task_spec& s) { s.concurrency_key = "x"; },
        +[](task_spec& s) { s.options.webhook = "https://a"; }, +[](task_spec& s) { s.labels["a"] = "b"; }}) {
    auto spec = good();
    change(spec);
    CHECK(fingerprint(spec) != first);
  }
}
