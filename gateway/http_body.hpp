// How a request's body may come: judged by its headers before a byte of it is read. Used by http_gateway. Pure; any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

struct body_headers {
  std::vector<std::string> content_lengths;    // each Content-Length header
  std::vector<std::string> transfer_encodings; // each Transfer-Encoding header
  std::string content_type;
};

struct body_verdict {
  int refuse = 0;          // 0: may be read, else the status: 400, 413, 415, 501
  std::string why;         // of the refusal
  bool present = false;    // there are bytes to read, or may be
};

/// Refuses lengths that are no number or differ, both ways of framing at once (which readers resolve differently: request
/// smuggling), encodings other than chunked, multipart forms, and what is announced to be over the limit.
body_verdict judge_body(const body_headers& headers, std::size_t limit);

} // namespace taskmaster
