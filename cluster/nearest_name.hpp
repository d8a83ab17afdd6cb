// What a user probably meant by a misspelt flag, command or key. Pure; called on any thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

/// The candidate with the fewest edits from `word` (an edit inserts, removes, replaces or swaps letters), or an empty text when each
/// differs by more than a third of its letters. Upper and lower case count as the same.
std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean X?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

} // namespace taskmaster
