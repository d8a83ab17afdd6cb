// Tables for people: columns aligned, no trailing blanks, control characters shown harmlessly. Used by the client commands. Pure.
#pragma once
#include "schema/time.hpp"

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

class table {
public:
  /// Columns whose head begins with '>' are aligned to the right. Blanks in a head make its column at least that wide.
  explicit table(std::vector<std::string> heads);
  void add(std::vector<std::string> cells);
  /// Writes what was added since the last time; the head only once. Widths only grow, so that pages stay aligned where they can.
  void print(std::ostream& out);

private:
  std::vector<std::string> heads_;
  std::vector<bool> right_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
  bool head_done_ = false;
};

/// Names and values below each other, values aligned.
void print_fields(std::ostream& out, const std::vector<std::pair<std::string, std::string>>& fields);

/// Without control characters (a cell must not move the cursor or colour the rest); at most `most` characters, then "…".
std::string one_line(std::string_view text, std::size_t most = 60);

/// "340ms", "2.5s", "3m20s", "5h10m", "12d": two figures of what matters.
std::string short_length(duration d);

} // namespace taskmaster
