#include "schema/postgres_wire.hpp"

#include <bit>
#include <cstring>

namespace taskmaster::postgres {
namespace {

// timestamptz counts microseconds from 2000-01-01.
constexpr std::int64_t epoch = 946'684'800'000'000;

template <class T>
void big_endian(std::string& out, T v) {
  for (int shift = static_cast<int>(sizeof v) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(v) >> shift) & 0xff));
}

std::int64_t from_big_endian(const char* p, int size) {
  std::uint64_t v = 0;
  for (int i = 0; i < size; ++i) v = v << 8 | static_cast<unsigned char>(p[i]);
  if (size == 4) return static_cast<std::int32_t>(v);
  return static_cast<std::int64_t>(v);
}

std::string bytes_of(std::int64_t v) {
  std::string out;
  big_endian(out, v);
  return out;
}
std::string bytes_of(const uuid& v) { return {reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size()}; }
std::string bytes_of(timestamp v) { return bytes_of(v.time_since_epoch().count() - epoch); }
std::string bytes_of(duration v) {
  auto out = bytes_of(static_cast<std::int64_t>(v.count()));
  big_endian(out, std::int64_t{0}); // days and months
  return out;
}

} // namespace

void parameters::put(Oid type, std::string value, bool null) {
  types_.push_back(type);
  values_.push_back(std::move(value));
  nulls_.push_back(null);
}

template <class T, class Write>
void parameters::array(Oid array_type, Oid element, const std::vector<T>& v, Write write) {
  std::string out;
  big_endian(out, std::int32_t{v.empty() ? 0 : 1});
  big_endian(out, std::int32_t{1}); // NULLs may follow
  big_endian(out, static_cast<std::int32_t>(element));
  if (!v.empty()) {
    big_endian(out, static_cast<std::int32_t>(v.size()));
    big_endian(out, std::int32_t{1});
  }
  for (const auto& item : v) {
    const std::optional<std::string> bytes = write(item);
    big_endian(out, bytes ? static_cast<std::int32_t>(bytes->size()) : std::int32_t{-1});
    if (bytes) out += *bytes;
  }
  put(array_type, std::move(out));
}

void parameters::text_or_null(const std::string& v) { put(25, v, v.empty()); }
void parameters::number(std::int64_t v) { put(20, bytes_of(v)); }
void parameters::id(const uuid& v) { put(2950, bytes_of(v)); }
void parameters::time(timestamp v) { put(1184, bytes_of(v)); }
void parameters::span(duration v) { put(1186, bytes_of(v)); }

void parameters::ids(const std::vector<uuid>& v) {
  array(2951, 2950, v, [](const uuid& id) -> std::optional<std::string> { return bytes_of(id); });
}
void parameters::integers(const std::vector<std::int32_t>& v) {
  array(1007, 23, v, [](std::int32_t n) -> std::optional<std::string> {
    std::string out;
    big_endian(out, n);
    return out;
  });
}
void parameters::bigints(const std::vector<std::int64_t>& v) {
  array(1016, 20, v, [](std::int64_t n) -> std::optional<std::string> { return bytes_of(n); });
}
void parameters::doubles(const std::vector<double>& v) {
  array(1022, 701, v, [](double n) -> std::optional<std::string> { return bytes_of(std::bit_cast<std::int64_t>(n)); });
}
void parameters::booleans(const std::vector<bool>& v) {
  array(1000, 16, v, [](bool b) -> std::optional<std::string> { return std::string(1, b ? 1 : 0); });
}
void parameters::spans(const std::vector<std::optional<duration>>& v) {
  array(1187, 1186, v, [](const std::optional<duration>& d) { return d ? std::optional(bytes_of(*d)) : std::nullopt; });
}
void parameters::times(const std::vector<std::optional<timestamp>>& v) {
  array(1185, 1184, v, [](const std::optional<timestamp>& t) { return t ? std::optional(bytes_of(*t)) : std::nullopt; });
}
void parameters::texts(const std::vector<std::string>& v) {
  array(1009, 25, v, [](const std::string& t) { return t.empty() ? std::nullopt : std::optional(t); });
}
void parameters::blobs(const std::vector<std::string>& v) {
  array(1001, 17, v, [](const std::string& t) { return t.empty() ? std::nullopt : std::optional(t); });
}
void parameters::jsons(const std::vector<std::string>& v) {
  array(3807, 3802, v, [](const std::string& t) { return t.empty() ? std::nullopt : std::optional("\1" + t); });
}

std::string row::text(int column) const {
  return {PQgetvalue(result_, number_, column), static_cast<std::size_t>(PQgetlength(result_, number_, column))};
}
std::string row::json(int column) const {
  const auto t = text(column);
  return t.empty() ? t : t.substr(1); // a version byte comes first
}
std::int64_t row::integer(int column) const {
  return from_big_endian(PQgetvalue(result_, number_, column), PQgetlength(result_, number_, column));
}
double row::real(int column) const { return std::bit_cast<double>(integer(column)); }
uuid row::id(int column) const {
  uuid out;
  if (PQgetlength(result_, number_, column) == 16) std::memcpy(out.bytes.data(), PQgetvalue(result_, number_, column), 16);
  return out;
}
timestamp row::time(int column) const {
  const auto since = integer(column);
  if (since == std::numeric_limits<std::int64_t>::min()) return timestamp::min(); // -infinity
  return timestamp(duration(since + epoch));
}
std::optional<timestamp> row::maybe_time(int column) const {
  if (null(column)) return {};
  return time(column);
}
duration row::span(int column) const {
  const char* p = PQgetvalue(result_, number_, column);
  return duration(from_big_endian(p, 8)) + std::chrono::days(from_big_endian(p + 8, 4)) + std::chrono::days(30 * from_big_endian(p + 12, 4));
}
std::vector<uuid> row::ids(int column) const {
  std::vector<uuid> out;
  const char* p = PQgetvalue(result_, number_, column);
  if (null(column) || from_big_endian(p, 4) == 0) return out;
  const auto n = from_big_endian(p + 12, 4);
  p += 20;
  for (std::int64_t i = 0; i < n; ++i, p += 20) {
    uuid id;
    std::memcpy(id.bytes.data(), p + 4, 16);
    out.push_back(id);
  }
  return out;
}

} // namespace taskmaster::postgres
