#include "actors/builtin_tasks.hpp"

#include "actors/kept_output.hpp"
#include "actors/outcomes.hpp"
#include "actors/payload_reader.hpp"

namespace taskmaster {

namespace {

builtin_run sleep_step(std::string_view payload) {
  payload_reader reader(payload);
  const auto text = reader.text("for");
  if (!text) reader.fault("/for is missing: how long to sleep, as \"1.5s\"");
  duration wait{0};
  if (text) {
    const auto parsed = parse_duration(*text);
    if (parsed)
      wait = *parsed;
    else
      reader.fault("/for: " + parsed.failure().message);
  }
  if (auto fault = reader.first_fault()) return {duration{0}, payload_refused(*fault)};
  return {wait, {}};
}

execution_result echo(const std::string& payload) {
  if (payload.size() <= limits::output_bytes) return succeeded_with("{\"output\":" + payload + "}");
  // A result may be far smaller than a payload, so this one comes back as text, cut like any other.
  const auto json = nlohmann::json::parse(payload, nullptr, false);
  kept_output text;
  text.append(json.is_string() ? json.get_ref<const std::string&>() : payload);
  return succeeded_with(nlohmann::json{{"output", text.text(limits::result_bytes - 1024)}}.dump());
}

execution_result fail(std::string_view payload, std::int32_t attempt) {
  payload_reader reader(payload, true);
  const auto message = reader.text("message");
  const auto* times = reader.field("times");
  if (times && !times->is_number_unsigned()) reader.fault("/times has to be a whole number, not negative");
  if (auto fault = reader.first_fault()) return payload_refused(*fault);
  if (times && times->get<std::uint64_t>() < static_cast<std::uint64_t>(std::max(attempt, 0))) return {};
  return failed_with("failed", message.value_or("failed, as its payload asks"));
}

} // namespace

bool is_builtin(std::string_view kind) {
  return kind == "noop" || kind == "sleep" || kind == "echo" || kind == "fail";
}

builtin_run builtin_step(const execution& run) {
  static const std::string null = "null";
  const auto& payload = run.payload ? *run.payload : null;
  if (run.kind == "sleep") return sleep_step(payload);
  if (run.kind == "echo") return {duration{0}, echo(payload)};
  if (run.kind == "fail") return {duration{0}, fail(payload, run.attempt)};
  return {};
}

} // namespace taskmaster
