// PostgreSQL's binary format: parameters (single values and arrays) and rows. Binary arrays avoid all quoting and parsing. Used by the
// postgres_*.cpp files only. Pure.
#pragma once
#include "schema/task.hpp"

#include <libpq-fe.h>
#include <string_view>

namespace taskmaster::postgres {

/// The parameters of one statement, in order; everything binary.
class parameters {
public:
  void text(std::string_view v) { put(25, std::string(v)); }
  void text_or_null(const std::string& v);
  void number(std::int64_t v);
  void id(const uuid& v);
  void time(timestamp v);
  void span(duration v);

  void ids(const std::vector<uuid>& v);
  void integers(const std::vector<std::int32_t>& v);
  void bigints(const std::vector<std::int64_t>& v);
  void doubles(const std::vector<double>& v);
  void booleans(const std::vector<bool>& v);
  void spans(const std::vector<std::optional<duration>>& v);
  void times(const std::vector<std::optional<timestamp>>& v);
  /// An empty text becomes NULL.
  void texts(const std::vector<std::string>& v);
  void blobs(const std::vector<std::string>& v);
  void jsons(const std::vector<std::string>& v);

  int count() const { return static_cast<int>(values_.size()); }
  const std::vector<Oid>& types() const { return types_; }
  const std::vector<std::string>& values() const { return values_; }
  const std::vector<bool>& nulls() const { return nulls_; }

private:
  void put(Oid type, std::string value, bool null = false);
  template <class T, class Write>
  void array(Oid array_type, Oid element, const std::vector<T>& v, Write write);
  std::vector<Oid> types_;
  std::vector<std::string> values_;
  std::vector<bool> nulls_;
};

/// One row of a binary result.
class row {
public:
  row(const PGresult* result, int number) : result_(result), number_(number) {}
  bool null(int column) const { return PQgetisnull(result_, number_, column) != 0; }
  std::string text(int column) const; // also bytea; empty for NULL
  std::string json(int column) const;
  std::int64_t integer(int column) const; // int4, int8, xid8
  double real(int column) const;
  bool boolean(int column) const { return !null(column) && *PQgetvalue(result_, number_, column) != 0; }
  uuid id(int column) const;
  timestamp time(int column) const;
  std::optional<timestamp> maybe_time(int column) const;
  duration span(int column) const;
  std::vector<uuid> ids(int column) const;

private:
  const PGresult* result_;
  int number_;
};

} // namespace taskmaster::postgres
