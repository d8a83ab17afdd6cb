#include "cluster/percent_encode.hpp"

#include <cctype>

namespace taskmaster {

std::string percent_encode(std::string_view text) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
      out += static_cast<char>(c);
    else
      (out += '%') += {hex[c >> 4], hex[c & 15]};
  }
  return out;
}

} // namespace taskmaster
