#include "cluster/http_client.hpp"

#include <charconv>

#include <httplib.h>

namespace taskmaster {

namespace {

std::string full_address(std::string_view server) {
  std::string where(server);
  while (!where.empty() && where.back() == '/') where.pop_back();
  if (where.find("://") == std::string::npos) where = "http://" + where;
  const auto host = where.find("://") + 3;
  const auto bracket = where.find(']', host); // [::1]
  const bool https = where.rfind("https://", 0) == 0;
  if (where.find(':', bracket == std::string::npos ? host : bracket) == std::string::npos && !https) where += ":8081";
  return where;
}

http_answer answer_of(const httplib::Result& result) {
  http_answer answer;
  if (!result) {
    answer.fault = httplib::to_string(result.error());
    return answer;
  }
  answer.status = result->status;
  answer.body = result->body;
  const auto wait = result->get_header_value("Retry-After");
  long seconds = 0;
  if (std::from_chars(wait.data(), wait.data() + wait.size(), seconds).ec == std::errc() && seconds >= 0)
    answer.retry_after = std::chrono::seconds(seconds);
  return answer;
}

} // namespace

struct http_client::parts {
  explicit parts(const std::string& where) : client(where) {}
  httplib::Client client;
};

http_client::http_client(std::string_view server) : where_(full_address(server)) {
  // httplib throws on a scheme it does not know.
  try {
    parts_ = std::make_unique<parts>(where_);
  } catch (const std::exception&) {
    return;
  }
  if (!parts_->client.is_valid()) {
    parts_.reset();
    return;
  }
  parts_->client.set_tcp_nodelay(true);
  parts_->client.set_keep_alive(true);
  parts_->client.set_connection_timeout(std::chrono::seconds(5));
  parts_->client.set_write_timeout(std::chrono::seconds(60));
}

http_client::~http_client() = default;

bool http_client::valid() const { return parts_ != nullptr; }

http_answer http_client::get(const std::string& path, std::chrono::seconds patience) {
  parts_->client.set_read_timeout(patience);
  return answer_of(parts_->client.Get(path));
}

http_answer http_client::post(const std::string& path, const std::string& json,
                              const std::vector<std::pair<std::string, std::string>>& headers, std::chrono::seconds patience) {
  parts_->client.set_read_timeout(patience);
  httplib::Headers sent;
  for (const auto& [name, value] : headers) sent.emplace(name, value);
  return answer_of(parts_->client.Post(path, sent, json, "application/json"));
}

} // namespace taskmaster
