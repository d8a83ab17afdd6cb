#include "schema/drift.hpp"

#include "schema/embedded_sql.hpp"
#include "schema/postgres_connection.hpp"

namespace taskmaster {
namespace {

using namespace postgres;
using entry = catalog::value_type;

constexpr std::string_view body = ", body ";

std::string name_of(const catalog::key_type& key) {
  const auto& [kind, part_of, name] = key;
  if (part_of.empty()) return "the " + kind + " " + name;
  if (kind == "column") return "the column " + part_of + "." + name;
  return "the " + kind + " " + name + " of " + part_of;
}

/// Of a function without the hash of its body, which tells nobody anything.
std::string_view readable(const entry& e) {
  const std::string_view what = e.second;
  return std::get<0>(e.first) == "function" ? what.substr(0, what.rfind(body)) : what;
}

std::string difference(const entry& should, const entry& is) {
  if (readable(should) == readable(is)) return "the body of " + name_of(should.first) + " is another one";
  return name_of(should.first) + " is \"" + std::string(readable(is)) + "\" and should be \"" + std::string(readable(should)) + "\"";
}

/// Whether this is part of a table that `all` does not have.
bool without_table(const catalog& all, const entry& e) {
  const auto& part_of = std::get<1>(e.first);
  return !part_of.empty() && !all.contains({"table", "", part_of});
}

} // namespace

expected<catalog> read_catalog(connection& db, steady_time deadline) {
  const auto found = db.run("catalog", {}, deadline, effect::read);
  if (!found) return found.failure();
  catalog all;
  for (int row = 0; row < found->count(); ++row) all[{found->text(row, 0), found->text(row, 1), found->text(row, 2)}] = found->text(row, 3);
  return all;
}

std::string to_text(const catalog& c) {
  std::string text;
  for (const auto& [key, what] : c) {
    const auto& [kind, part_of, name] = key;
    text += kind + '\t' + part_of + '\t' + name + '\t' + what + '\n';
  }
  return text;
}

catalog parse_catalog(std::string_view text) {
  catalog all;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::string field[3];
    for (auto& f : field) {
      f = line.substr(0, line.find('\t'));
      line.remove_prefix(std::min(f.size() + 1, line.size()));
    }
    if (!field[0].empty()) all[{field[0], field[1], field[2]}] = line;
  }
  return all;
}

const catalog& expected_catalog() {
  static const catalog all = [] {
    for (const auto& file : embedded_sql())
      if (file.name == "schema/expected_catalog.txt") return parse_catalog(file.text);
    return catalog{};
  }();
  return all;
}

std::vector<drift> differences(const catalog& should, const catalog& is) {
  std::vector<drift> out;
  for (const auto& wanted : should) {
    const auto found = is.find(wanted.first);
    if (found == is.end()) {
      if (!without_table(is, wanted)) out.push_back({false, name_of(wanted.first) + " is missing"});
    } else if (found->second != wanted.second) {
      out.push_back({false, difference(wanted, *found)});
    }
  }
  for (const auto& found : is) {
    if (should.contains(found.first) || without_table(should, found)) continue;
    const auto& kind = std::get<0>(found.first);
    out.push_back({kind == "index" || kind == "table" || kind == "function", name_of(found.first) + " is not TaskMaster's: \"" + std::string(readable(found)) + "\""});
  }
  return out;
}

} // namespace taskmaster
