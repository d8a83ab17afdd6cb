#include "actors/http_payload.hpp"

#include "actors/payload_reader.hpp"

#include <algorithm>
#include <array>

namespace taskmaster {

namespace {

constexpr std::size_t longest_url = 8192;
constexpr std::array<std::string_view, 7> methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
// They decide where the body ends and where the request goes: ours to set.
constexpr std::array<std::string_view, 5> reserved = {"content-length", "transfer-encoding", "connection", "te", "upgrade"};

std::string lower(std::string s) {
  for (auto& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return s;
}

bool header_name(std::string_view s) {
  return !s.empty()
         && std::all_of(s.begin(), s.end(), [](unsigned char c) {
              return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
            });
}

// A line break in a value would be a header of its own.
bool header_value(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](unsigned char c) { return (c >= 0x20 && c != 0x7F) || c == '\t'; });
}

std::optional<std::string> split_url(std::string_view url, http_payload& call) {
  if (url.size() > longest_url) return "is longer than " + std::to_string(longest_url) + " bytes";
  for (const unsigned char c : url)
    if (c <= 0x20 || c >= 0x7F) return "contains a space, a control character or one outside ASCII: percent-encode it";
  const auto scheme_end = url.find("://");
  const auto scheme = lower(std::string(url.substr(0, scheme_end == url.npos ? 0 : scheme_end)));
  if (scheme != "http" && scheme != "https") return "has to start with http:// or https://";
  call.tls = scheme == "https";
  call.port = call.tls ? 443 : 80;
  url.remove_prefix(scheme_end + 3);
  const auto authority_end = std::min(url.find_first_of("/?#"), url.size());
  const auto authority = url.substr(0, authority_end);
  auto rest = url.substr(authority_end);
  rest = rest.substr(0, rest.find('#'));
  call.target = rest.empty() || rest[0] != '/' ? "/" + std::string(rest) : std::string(rest);
  if (authority.find('@') != authority.npos) return "contains a user name: put credentials into /headers/authorization";
  std::string_view port;
  if (!authority.empty() && authority[0] == '[') {
    const auto close = authority.find(']');
    if (close == authority.npos) return "has an address that lacks its closing bracket";
    call.host = lower(std::string(authority.substr(1, close - 1)));
    port = authority.substr(close + 1);
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    call.host = lower(std::string(authority.substr(0, colon)));
    port = authority.substr(colon);
  }
  if (call.host.empty()) return "names no host";
  if (!port.empty() && port != ":") {
    const auto digits = port.substr(1);
    if (port[0] != ':' || digits.size() > 5 || digits.find_first_not_of("0123456789") != digits.npos
        || std::stoi(std::string(digits)) < 1 || std::stoi(std::string(digits)) > 65535)
      return "has a port that is no number from 1 to 65535";
    call.port = std::stoi(std::string(digits));
  }
  call.authority = call.host.find(':') == std::string::npos ? call.host : "[" + call.host + "]";
  if (call.port != (call.tls ? 443 : 80)) call.authority += ":" + std::to_string(call.port);
  return {};
}

} // namespace

expected<http_payload> parse_http_payload(const execution& run) {
  payload_reader reader(run.payload ? *run.payload : std::string("null"));
  http_payload call;
  const auto url = reader.text("url");
  if (!url)
    reader.fault("/url is missing: where to send the request");
  else if (const auto fault = split_url(*url, call))
    reader.fault("/url " + *fault);

  for (const auto& [name, value] : reader.texts("headers")) {
    const auto key = lower(name);
    if (!header_name(key))
      reader.fault(pointer("headers", name) + " is no header's name");
    else if (!header_value(value))
      reader.fault(pointer("headers", name) + " contains a line break or control character");
    else if (std::find(reserved.begin(), reserved.end(), key) != reserved.end())
      reader.fault(pointer("headers", name) + " is set by TaskMaster itself: leave it out");
    else
      call.headers[key] = value;
  }
  // As sent, and in the case that the documentation promises.
  for (const char* ours : {"x-taskmaster-task-id", "x-taskmaster-attempt", "x-taskmaster-fence"}) call.headers.erase(ours);
  call.headers["X-TaskMaster-Task-Id"] = run.task.str();
  call.headers["X-TaskMaster-Attempt"] = std::to_string(run.attempt);
  call.headers["X-TaskMaster-Fence"] = run.fence;
  call.headers.emplace("user-agent", "taskmaster");
  call.headers.emplace("host", call.authority);

  const auto* body = reader.field("body");
  if (body && body->is_string()) {
    call.body = body->get<std::string>();
    call.headers.emplace("content-type", "text/plain; charset=utf-8");
  } else if (body && !body->is_null()) {
    call.body = body->dump();
    call.headers.emplace("content-type", "application/json");
  }
  call.method = reader.text("method").value_or(body && !body->is_null() ? "POST" : "GET");
  if (std::find(methods.begin(), methods.end(), call.method) == methods.end())
    reader.fault("/method has to be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (auto fault = reader.first_fault()) return error(ec::invalid_argument, *fault);
  return call;
}

} // namespace taskmaster
