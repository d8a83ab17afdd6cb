// The payload of kind `http` as a request: {"method", "url", "headers", "body"}. Pure; any thread.
#pragma once
#include "actors/executor.hpp"

#include <map>
#include <string>

namespace taskmaster {

struct http_payload {
  std::string method;
  bool tls = false;
  std::string host; // in lower case, without brackets
  int port = 80;
  std::string authority; // for the Host header: "example.org", "[::1]:8080"
  std::string target;    // path and query, as sent
  std::map<std::string, std::string> headers; // the payload's, the defaults, and the X-TaskMaster ones
  std::string body;
};

/// ec::invalid_argument with the field's name when the payload makes no sense.
expected<http_payload> parse_http_payload(const execution& run);

} // namespace taskmaster
