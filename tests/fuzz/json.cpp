// HTTP bodies. What the door lets in another parser reads too, with the same meaning; what it does not is refused with a sentence. A task that was
// read and written is read again as itself.
#include "gateway/json_door.hpp"
#include "gateway/task_json.hpp"
#include "schema/store.hpp"
#include "tests/fuzz/require.hpp"

#include <nlohmann/json.hpp>

using namespace taskmaster;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const timestamp now{std::chrono::sys_days{std::chrono::year{2026} / 3 / 4}};
  const auto opened = open_json(text);
  if (!opened) {
    require(!opened.failure().message.empty());
    return 0;
  }
  const auto other = nlohmann::json::parse(text, nullptr, false);
  require(!other.is_discarded());
  require(nlohmann::json::parse(compact_json(text), nullptr, false) == other);
  const auto spec = read_task(*opened, now);
  if (!spec) {
    for (const auto& f : spec.failure().faults) require(!f.detail.empty());
    return 0;
  }
  require(!validate(*spec, now));
  require(nlohmann::json::accept(spec->payload));
  const auto stored = make_task({uuid{}, *spec, ""});
  json_writer out;
  write_task(out, record_of(stored, spec->labels));
  const auto written = nlohmann::json::parse(out.text(), nullptr, false);
  require(!written.is_discarded() && written["kind"] == spec->kind && written["payload"] == nlohmann::json::parse(spec->payload));
  return 0;
}
