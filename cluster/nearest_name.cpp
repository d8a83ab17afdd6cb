#include "cluster/nearest_name.hpp"

#include <algorithm>
#include <cctype>

namespace taskmaster {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Optimal string alignment distance: two letters that changed places are one edit.
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

} // namespace

std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 64; // what is longer is no misspelling, and the distance costs the product of the lengths
  std::string best;
  if (word.size() > longest) return best;
  const auto wanted = lower(word);
  std::size_t fewest = longest;
  for (const auto& candidate : candidates) {
    if (candidate.size() > longest) continue;
    const auto n = edits(wanted, lower(candidate));
    if (n < fewest && 3 * n <= std::max(wanted.size(), candidate.size())) {
      fewest = n;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const auto name = nearest_name(word, candidates);
  return name.empty() ? "" : "; did you mean " + name + "?";
}

} // namespace taskmaster
