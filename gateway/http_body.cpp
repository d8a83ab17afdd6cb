#include "gateway/http_body.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace taskmaster {
namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return out;
}

} // namespace

body_verdict judge_body(const body_headers& headers, std::size_t limit) {
  const bool framed = !headers.content_lengths.empty(), encoded = !headers.transfer_encodings.empty();
  if (framed && encoded) return {400, "Content-Length and Transfer-Encoding cannot stand together; send one of them.", true};
  if (encoded && (headers.transfer_encodings.size() > 1 || lower(headers.transfer_encodings.front()) != "chunked"))
    return {501, "The only Transfer-Encoding taken here is chunked.", true};
  std::optional<std::uint64_t> length;
  for (const auto& text : headers.content_lengths) {
    std::uint64_t n = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (fault != std::errc() || end != text.data() + text.size()) return {400, "Content-Length has to be one number of bytes.", true};
    if (length && *length != n) return {400, "Content-Length is there twice, with different numbers.", true};
    length = n;
  }
  if (length && *length > limit)
    return {413, "The body has " + std::to_string(*length) + " bytes; the limit is " + std::to_string(limit) + ".", true};
  const bool present = encoded || (length && *length > 0);
  if (present && lower(headers.content_type).starts_with("multipart/"))
    return {415, "A multipart form is not taken; send the JSON itself as the body.", true};
  return {0, {}, present};
}

} // namespace taskmaster
