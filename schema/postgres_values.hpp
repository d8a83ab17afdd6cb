// PostgreSQL's binary format, both ways: nothing is quoted, printed or parsed. Used by the files of
// postgres_store. Plain values; one thread.
#pragma once
#include "schema/task.hpp"

#include <memory>
#include <set>
#include <vector>

struct pg_result;

namespace taskmaster::postgres {

/// Type oids, fixed in every PostgreSQL (catalog pg_type).
enum class type : std::uint32_t {
  boolean = 16,
  bytea = 17,
  int8 = 20,
  int4 = 23,
  text = 25,
  float8 = 701,
  timestamptz = 1184,
  interval = 1186,
  uuid = 2950,
  jsonb = 3802,
  xid8 = 5069,
};

/// Appends one value as bytes.
void append(std::string& out, bool value);
void append(std::string& out, std::int32_t value);
void append(std::string& out, std::int64_t value);
void append(std::string& out, std::uint64_t value);
void append(std::string& out, double value);
void append(std::string& out, const uuid& value);
/// timestamp::min() and max() are -infinity and infinity.
void append(std::string& out, timestamp value);
void append(std::string& out, duration value);
void append(std::string& out, std::string_view value); // text, bytea
inline void append(std::string& out, const std::string& value) { append(out, std::string_view(value)); }
inline void append(std::string& out, const char* value) { append(out, std::string_view(value)); }
template <class T>
std::string encode(const T& value) {
  std::string out;
  append(out, value);
  return out;
}
/// A flat object of texts. The bytes are taken as they are: the server judges them, so that it refuses what
/// it cannot keep.
std::string encode_jsonb(const std::map<std::string, std::string>& object);

/// A one-dimensional array, filled element by element.
class array {
public:
  explicit array(type element);
  template <class T>
  array& add(const T& value) {
    const auto begin = bytes_.size();
    bytes_.append(4, '\0'); // the length, once it is known
    append(bytes_, value);
    end_element(begin);
    return *this;
  }
  template <class T>
  array& add(const std::optional<T>& value) {
    return value ? add(*value) : add_null();
  }
  array& add_bytes(std::string_view bytes);
  array& add_null();
  /// NULL for an empty text.
  array& add_or_null(std::string_view text) { return text.empty() ? add_null() : add_bytes(text); }
  /// NULL for what is as everybody has it.
  template <class T>
  array& add_unless(const T& value, const T& usual) {
    return value == usual ? add_null() : add(value);
  }
  /// Nothing but NULLs.
  bool blank() const { return count_ > 0 && nulls_ == count_; }
  std::string bytes() &&;

private:
  void end_element(std::size_t begin);
  std::string bytes_;
  std::int32_t count_ = 0, nulls_ = 0;
};

/// The values of a statement's $1, $2, …
class parameters {
public:
  template <class T>
  parameters& add(const T& value) {
    values_.push_back(encode(value));
    return *this;
  }
  parameters& add(array value) {
    values_.push_back(std::move(value).bytes());
    return *this;
  }
  /// One NULL for an array of nothing else, which the server need not walk. Says the same to unnest, which fills up what is shorter, and to
  /// nothing but unnest.
  parameters& add_unless_blank(array value) { return value.blank() ? add_null() : add(std::move(value)); }
  template <class T>
  parameters& add(const std::optional<T>& value) {
    return value ? add(*value) : add_null();
  }
  parameters& add_null() {
    nulls_.insert(values_.size());
    values_.emplace_back();
    return *this;
  }
  bool null(std::size_t place) const { return nulls_.contains(place); }
  const std::vector<std::string>& values() const { return values_; }

private:
  std::set<std::size_t> nulls_;
  std::vector<std::string> values_;
};

/// What a statement answered, in binary. Columns are asked for by number, as the query lists them.
class rows {
public:
  rows() = default;
  explicit rows(pg_result* owned);

  int count() const;
  std::int64_t affected() const; // rows that a statement without an answer changed
  bool null(int row, int column) const;
  bool boolean(int row, int column) const;
  std::int32_t int4(int row, int column) const;
  std::int64_t int8(int row, int column) const;
  double float8(int row, int column) const;
  std::string text(int row, int column) const; // empty when NULL
  taskmaster::uuid uuid(int row, int column) const;
  taskmaster::timestamp timestamp(int row, int column) const;
  std::optional<taskmaster::timestamp> maybe_timestamp(int row, int column) const;
  taskmaster::duration interval(int row, int column) const;
  std::vector<taskmaster::uuid> uuids(int row, int column) const;
  std::map<std::string, std::string> labels(int row, int column) const;
  shared_options options(int row, int column) const;

private:
  std::string_view bytes(int row, int column) const;

  struct clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, clear> result_;
};

} // namespace taskmaster::postgres
