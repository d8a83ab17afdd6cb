#include "cluster/table_output.hpp"

#include <algorithm>

namespace taskmaster {

namespace {

/// In characters, counting each UTF-8 sequence as one.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void end_line(std::ostream& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << '\n';
}

} // namespace

table::table(std::vector<std::string> heads) : heads_(std::move(heads)) {
  for (auto& head : heads_) {
    right_.push_back(head.rfind('>', 0) == 0);
    if (right_.back()) head.erase(0, 1);
    widths_.push_back(width_of(head));
  }
}

void table::add(std::vector<std::string> cells) {
  cells.resize(heads_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], width_of(cells[i]));
  rows_.push_back(std::move(cells));
}

void table::print(std::ostream& out) {
  const auto write = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string blanks(widths_[i] - std::min(widths_[i], width_of(cells[i])), ' ');
      line += (i ? "  " : "") + (right_[i] ? blanks + cells[i] : cells[i] + blanks);
    }
    end_line(out, std::move(line));
  };
  if (!head_done_) write(heads_);
  head_done_ = true;
  for (const auto& row : rows_) write(row);
  rows_.clear();
}

void print_fields(std::ostream& out, const std::vector<std::pair<std::string, std::string>>& fields) {
  std::size_t widest = 0;
  for (const auto& field : fields) widest = std::max(widest, width_of(field.first));
  for (const auto& [name, value] : fields)
    end_line(out, name + std::string(widest - width_of(name) + 2, ' ') + value);
}

std::string one_line(std::string_view text, std::size_t most) {
  std::string out;
  std::size_t shown = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80 && ++shown > most) return out + "…";
    if (byte < 0x20 || byte == 0x7F)
      out += ' ';
    else
      out += c;
  }
  return out;
}

std::string short_length(duration d) {
  using namespace std::chrono;
  const auto us = std::max<std::int64_t>(0, d.count());
  const auto decimal = [](std::int64_t tenths, const char* unit) {
    auto text = std::to_string(tenths / 10);
    if (tenths < 100 && tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
    return text + unit;
  };
  const auto pair = [](std::int64_t big, const char* b, std::int64_t small, const char* s) {
    return std::to_string(big) + b + (small && big < 10 ? std::to_string(small) + s : std::string());
  };
  const auto s = us / 1'000'000;
  if (us < 1'000) return us == 0 ? "0s" : std::to_string(us) + "us";
  if (us < 1'000'000) return decimal(us / 100, "ms");
  if (s < 60) return decimal(us / 100'000, "s");
  if (s < 3'600) return pair(s / 60, "m", s % 60, "s");
  if (s < 86'400) return pair(s / 3'600, "h", s / 60 % 60, "m");
  return pair(s / 86'400, "d", s / 3'600 % 24, "h");
}

} // namespace taskmaster
