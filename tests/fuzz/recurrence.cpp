// Cron expressions and recurrence rules: the first byte says which, the second picks a zone, the rest is the text. Instants grow, each strictly
// after the one before, and no text keeps us busy.
#include "schema/recurrence.hpp"
#include "tests/fuzz/require.hpp"

using namespace taskmaster;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr const char* zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"};
  const std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
  recurrence_spec spec;
  (data[0] % 2 ? spec.rrule : spec.cron) = text;
  spec.timezone = zones[data[1] % std::size(zones)];
  spec.anchor = timestamp{std::chrono::sys_days{std::chrono::year{2024} / 2 / 28}} + std::chrono::hours(23);
  const auto r = recurrence::make(spec, "fuzzed");
  if (!r) {
    require(!r.failure().message.empty());
    return 0;
  }
  (void)r->warnings();
  timestamp after = timestamp{std::chrono::sys_days{std::chrono::year{2026} / 3 / 28}} + std::chrono::hours(20);
  for (int n = 0; n < 5; ++n) {
    const auto next = r->next(after);
    if (!next) break;
    require(*next > after);
    after = *next;
  }
  return 0;
}
