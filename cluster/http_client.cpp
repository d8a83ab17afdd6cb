#include "cluster/http_client.hpp"

#include <charconv>

#include <httplib.h>

namespace taskmaster {

namespace {

/// "http://host:port" of what a person wrote; empty when it is no address.
std::string full_address(std::string_view server) {
  std::string scheme = "http";
  if (const auto at = server.find("://"); at != std::string_view::npos) {
    scheme = server.substr(0, at);
    server.remove_prefix(at + 3);
  }
  while (!server.empty() && server.back() == '/') server.remove_suffix(1);
  const auto colon = server.rfind(':');
  const auto bracket = server.rfind(']'); // [::1]:8081
  std::string_view host = server, port = scheme == "https" ? "443" : "8081";
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = server.substr(0, colon);
    port = server.substr(colon + 1);
  }
  int number = 0;
  const auto [end, fault] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool good = (scheme == "http" || scheme == "https") && !host.empty() && host.find_first_of("/?#@ ") == std::string_view::npos &&
                    (host.front() == '[' || host.find(':') == std::string_view::npos) && fault == std::errc() &&
                    end == port.data() + port.size() && number > 0 && number < 65'536;
  return good ? scheme + "://" + std::string(host) + ":" + std::string(port) : "";
}

service_answer answer_of(const httplib::Response& response) {
  service_answer answer;
  answer.status = response.status;
  answer.body = response.body;
  const auto wait = response.get_header_value("Retry-After");
  long seconds = 0;
  if (std::from_chars(wait.data(), wait.data() + wait.size(), seconds).ec == std::errc() && seconds >= 0)
    answer.retry_after = std::chrono::seconds(seconds);
  return answer;
}

constexpr auto usual_patience = std::chrono::seconds(60);

/// What probably is wrong, as the end of "no answer from http://host:port: …".
std::string fault_of(httplib::Error error, bool in_time) {
  switch (error) {
    case httplib::Error::Connection: return "nothing can be reached there; is the service running? Name another with --server";
    case httplib::Error::ConnectionTimeout: return "no connection within 5 s; is the address right? Name another with --server";
    case httplib::Error::SSLConnection: return "no TLS is spoken there; write http:// instead of https:// in --server";
    case httplib::Error::SSLServerVerification: return "its certificate is not trusted here";
    case httplib::Error::Read:
      if (in_time)
        return "something listens there, but it does not speak HTTP. Is it the service's gRPC port, or another program? HTTP is on port 8081 unless the "
               "service was started with another --http";
      return "it accepts connections and did not answer in time";
    default: return httplib::to_string(error);
  }
}

/// One request. `patience`: how long its answer may take to begin, for the client and for the sentence of a fault alike.
template <class Call>
service_answer ask(httplib::Client& client, std::chrono::seconds patience, Call call) {
  client.set_read_timeout(patience);
  const auto asked = std::chrono::steady_clock::now();
  const httplib::Result result = call(client);
  if (result) return answer_of(*result);
  service_answer answer;
  answer.fault = fault_of(result.error(), std::chrono::steady_clock::now() - asked < patience);
  return answer;
}

} // namespace

struct http_client::parts {
  explicit parts(const std::string& where) : client(where) {}
  httplib::Client client;
};

http_client::http_client(std::string_view server) : where_(full_address(server)) {
  if (where_.empty()) return;
  try {
    parts_ = std::make_unique<parts>(where_);
  } catch (const std::exception&) { // https, but built without it
    return;
  }
  parts_->client.set_tcp_nodelay(true);
  parts_->client.set_keep_alive(true);
  parts_->client.set_connection_timeout(std::chrono::seconds(5));
  parts_->client.set_write_timeout(std::chrono::seconds(60));
}

http_client::~http_client() = default;

bool http_client::valid() const { return parts_ != nullptr; }

service_answer http_client::get(const std::string& path, std::chrono::seconds patience) {
  return ask(parts_->client, patience, [&](httplib::Client& client) { return client.Get(path); });
}

service_answer http_client::post(const std::string& path, const std::string& json,
                              const std::vector<std::pair<std::string, std::string>>& headers, std::chrono::seconds patience) {
  httplib::Headers sent;
  for (const auto& [name, value] : headers) sent.emplace(name, value);
  return ask(parts_->client, patience, [&](httplib::Client& client) { return client.Post(path, sent, json, "application/json"); });
}

service_answer http_client::put(const std::string& path, const std::string& json) {
  return ask(parts_->client, usual_patience, [&](httplib::Client& client) { return client.Put(path, json, "application/json"); });
}

service_answer http_client::follow(const std::string& path, const std::vector<std::pair<std::string, std::string>>& headers,
                                   const std::function<bool(std::string_view)>& take, std::chrono::seconds patience) {
  parts_->client.set_read_timeout(patience);
  httplib::Headers sent;
  for (const auto& [name, value] : headers) sent.emplace(name, value);
  service_answer answer;
  std::string text;
  const auto asked = std::chrono::steady_clock::now();
  const auto result = parts_->client.Get(
      path, sent,
      [&](const httplib::Response& response) {
        answer = answer_of(response);
        return true;
      },
      [&](const char* bytes, std::size_t n) {
        text.append(bytes, n);
        if (!answer.good()) return text.size() < (1u << 20);
        std::size_t from = 0;
        for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
          if (!take(std::string_view(text).substr(from, end - from))) return false;
          from = end + 1;
        }
        text.erase(0, from);
        return true;
      });
  if (!answer.reached()) answer.fault = fault_of(result.error(), std::chrono::steady_clock::now() - asked < patience);
  if (!answer.good()) answer.body = std::move(text);
  return answer;
}

service_answer http_client::remove(const std::string& path) {
  return ask(parts_->client, usual_patience, [&](httplib::Client& client) { return client.Delete(path); });
}

service_answer http_client::patch(const std::string& path, const std::string& json) {
  return ask(parts_->client, usual_patience, [&](httplib::Client& client) { return client.Patch(path, json, "application/json"); });
}

} // namespace taskmaster
