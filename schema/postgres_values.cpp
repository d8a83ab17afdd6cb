#include "schema/postgres_values.hpp"

#include <bit>
#include <cstdlib>
#include <libpq-fe.h>
#include <nlohmann/json.hpp>

namespace taskmaster::postgres {

namespace {

constexpr std::int64_t infinity = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t minus_infinity = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t epoch =
    946'684'800'000'000; // 2000-01-01, where PostgreSQL counts from, in Unix microseconds
constexpr std::int64_t day = 86'400'000'000;

template <class T>
void put_big_endian(char* out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[i] = static_cast<char>(static_cast<std::make_unsigned_t<T>>(value) >> (8 * (sizeof(T) - 1 - i)));
}

template <class T>
void append_big_endian(std::string& out, T value) {
  char bytes[sizeof(T)];
  put_big_endian(bytes, value);
  out.append(bytes, sizeof bytes);
}

template <class T>
std::string big_endian(T value) {
  std::string out;
  append_big_endian(out, value);
  return out;
}

/// 0 when the bytes are fewer than the type's, as for NULL.
template <class T>
T from_big_endian(std::string_view bytes) {
  std::make_unsigned_t<T> value = 0;
  if (bytes.size() < sizeof(T)) return 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<std::make_unsigned_t<T>>(value << 8 | static_cast<unsigned char>(bytes[i]));
  return static_cast<T>(value);
}

void put_quoted(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      ((out += "\\u00") += digits[c >> 4 & 15]) += digits[c & 15];
    else
      out += c;
  }
  out += '"';
}

taskmaster::uuid uuid_of(std::string_view bytes) {
  taskmaster::uuid id;
  if (bytes.size() == id.bytes.size()) std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

} // namespace

void append(std::string& out, bool value) { out += value ? '\1' : '\0'; }
void append(std::string& out, std::int32_t value) { append_big_endian(out, value); }
void append(std::string& out, std::int64_t value) { append_big_endian(out, value); }
void append(std::string& out, std::uint64_t value) { append_big_endian(out, value); }
void append(std::string& out, double value) { append_big_endian(out, std::bit_cast<std::int64_t>(value)); }
void append(std::string& out, const uuid& value) {
  out.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}
void append(std::string& out, std::string_view value) { out += value; }

void append(std::string& out, timestamp value) {
  auto us = value.time_since_epoch().count();
  if (value == timestamp::max()) return append_big_endian(out, infinity);
  append_big_endian(out, us < minus_infinity + epoch ? minus_infinity : us - epoch);
}

void append(std::string& out, duration value) {
  // Microseconds alone; days and months would be other lengths on other days.
  append_big_endian<std::int64_t>(out, value.count());
  out.append(8, '\0');
}

std::string encode_jsonb(const std::map<std::string, std::string>& object) {
  std::string out = "\1{"; // version 1 of the format, then the text
  for (const auto& [key, value] : object) {
    if (out.size() > 2) out += ',';
    put_quoted(out, key);
    out += ':';
    put_quoted(out, value);
  }
  return out += '}';
}

array::array(type element) {
  bytes_ = big_endian<std::int32_t>(1) + big_endian<std::int32_t>(0) +
           big_endian(static_cast<std::uint32_t>(element)) + big_endian<std::int32_t>(0) +
           big_endian<std::int32_t>(1); // dimensions, nulls, type, length, first index
}

void array::end_element(std::size_t begin) {
  put_big_endian(bytes_.data() + begin, static_cast<std::int32_t>(bytes_.size() - begin - 4));
  ++count_;
}

array& array::add_bytes(std::string_view bytes) {
  append_big_endian(bytes_, static_cast<std::int32_t>(bytes.size()));
  bytes_ += bytes;
  ++count_;
  return *this;
}

array& array::add_null() {
  append_big_endian<std::int32_t>(bytes_, -1);
  ++count_;
  ++nulls_;
  return *this;
}

std::string array::bytes() && {
  bytes_[7] = nulls_ ? '\1' : '\0';
  bytes_.replace(12, 4, big_endian(count_));
  if (count_ == 0)
    bytes_.replace(0, 4, big_endian<std::int32_t>(0)).resize(12); // an empty array has no dimension
  return std::move(bytes_);
}

void rows::clear::operator()(pg_result* result) const { PQclear(result); }

rows::rows(pg_result* owned) : result_(owned) {}

int rows::count() const { return result_ ? PQntuples(result_.get()) : 0; }

std::int64_t rows::affected() const { return result_ ? std::atoll(PQcmdTuples(result_.get())) : 0; }

std::string_view rows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

bool rows::null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
bool rows::boolean(int row, int column) const {
  auto b = bytes(row, column);
  return !b.empty() && b[0] != 0;
}
std::int32_t rows::int4(int row, int column) const {
  return from_big_endian<std::int32_t>(bytes(row, column));
}
std::int64_t rows::int8(int row, int column) const {
  return from_big_endian<std::int64_t>(bytes(row, column));
}
double rows::float8(int row, int column) const { return std::bit_cast<double>(int8(row, column)); }
std::string rows::text(int row, int column) const { return std::string(bytes(row, column)); }
taskmaster::uuid rows::uuid(int row, int column) const { return uuid_of(bytes(row, column)); }

taskmaster::timestamp rows::timestamp(int row, int column) const {
  auto us = int8(row, column);
  if (us == minus_infinity) return taskmaster::timestamp::min();
  if (us > infinity - epoch) // infinity itself, and years that our clock does not reach
    return taskmaster::timestamp::max();
  return taskmaster::timestamp{taskmaster::duration{us + epoch}};
}

std::optional<taskmaster::timestamp> rows::maybe_timestamp(int row, int column) const {
  if (null(row, column)) return std::nullopt;
  return timestamp(row, column);
}

taskmaster::duration rows::interval(int row, int column) const {
  auto b = bytes(row, column);
  if (b.size() < 16) return taskmaster::duration{0};
  // Days and months only come through SQL; PostgreSQL itself compares a month as thirty days.
  std::int64_t days = from_big_endian<std::int32_t>(b.substr(8)),
               months = from_big_endian<std::int32_t>(b.substr(12));
  return taskmaster::duration{from_big_endian<std::int64_t>(b) + (days + months * 30) * day};
}

std::vector<taskmaster::uuid> rows::uuids(int row, int column) const {
  std::vector<taskmaster::uuid> ids;
  auto b = bytes(row, column);
  if (b.size() < 20) return ids;
  auto count = from_big_endian<std::int32_t>(b.substr(12));
  b.remove_prefix(20);
  for (std::int32_t i = 0; i < count && b.size() >= 20; ++i, b.remove_prefix(20))
    ids.push_back(uuid_of(b.substr(4, 16)));
  return ids;
}

std::map<std::string, std::string> rows::labels(int row, int column) const {
  std::map<std::string, std::string> found;
  auto b = bytes(row, column);
  if (b.size() < 2) return found;
  auto object = nlohmann::json::parse(b.substr(1), nullptr, false);
  if (object.is_object())
    for (const auto& [key, value] : object.items())
      found[key] = value.is_string() ? value.get<std::string>() : value.dump();
  return found;
}

shared_options rows::options(int row, int column) const {
  const auto b = bytes(row, column);
  if (b.size() < 2) return nullptr;
  const auto read = parse_options(b.substr(1));
  return read ? share(*read) : nullptr;
}

} // namespace taskmaster::postgres
