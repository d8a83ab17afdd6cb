// Instants, lengths, ids, fences, query strings: what was read and written reads back as the same.
#include "gateway/query_string.hpp"
#include "schema/fence.hpp"
#include "schema/time.hpp"
#include "schema/uuid.hpp"
#include "tests/fuzz/require.hpp"

using namespace taskmaster;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto t = parse_timestamp(text)) require(*parse_timestamp(format_timestamp(*t)) == *t);
  else require(!t.failure().message.empty());
  if (const auto d = parse_duration(text)) require(*d >= duration{0} && *parse_duration(format_duration(*d)) == *d);
  else require(!d.failure().message.empty());
  if (const auto id = uuid::parse(text)) require(uuid::parse(id->str()) == id);
  if (const auto f = fence::parse(text); !f.none()) require(fence::parse(f.str()) == f);
  if (const auto query = parse_query(text))
    for (const auto& [name, value] : *query) require(name.find('\0') == name.npos && value.find('\0') == value.npos);
  (void)decode_path_part(text);
  return 0;
}
