// What the schema `taskmaster` should look like, and how a database's differs: tables, columns, indexes, constraints, triggers, functions.
// What it should be is schema/expected_catalog.txt, written from a freshly migrated database (a test holds it to the migrations). Used by
// checkup and by tests. read_catalog blocks; the rest is pure.
#pragma once
#include "schema/error.hpp"
#include "schema/time.hpp"

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace taskmaster {

namespace postgres {
class connection;
}

/// Kind ("index"), the table that it is part of or empty, and name; to what it is, in one line.
using catalog = std::map<std::tuple<std::string, std::string, std::string>, std::string>;

expected<catalog> read_catalog(postgres::connection& db, steady_time deadline);

/// One thing a line, its four fields between tabs, sorted.
std::string to_text(const catalog& c);
catalog parse_catalog(std::string_view text);
/// Of this binary's migrations.
const catalog& expected_catalog();

struct drift {
  bool harmless = false; // something that is there besides, and changes nothing of ours: an index, a table, a function
  std::string sentence;
};
/// Each difference in a sentence. What is part of a table that is missing, or not ours, is not told besides.
std::vector<drift> differences(const catalog& should, const catalog& is);

} // namespace taskmaster
