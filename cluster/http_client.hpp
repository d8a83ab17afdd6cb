// The client commands' way to a service: one request, one answer, errors as sentences. Blocks; one thread.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace taskmaster {

struct service_answer {
  int status = 0; // 0: no answer, `fault` says why
  std::string body;
  std::string fault;
  std::optional<std::chrono::seconds> retry_after;
  bool reached() const { return status != 0; }
  bool good() const { return status >= 200 && status < 300; }
};

class http_client {
public:
  /// "127.0.0.1:8081", "tasks.example", "https://tasks.example:443"; without a port 8081, without a scheme http.
  explicit http_client(std::string_view server);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// False: the address makes no sense.
  bool valid() const;
  /// "http://127.0.0.1:8081", for sentences.
  const std::string& where() const { return where_; }

  /// `patience`: how long the service may take to begin its answer.
  service_answer get(const std::string& path, std::chrono::seconds patience = std::chrono::seconds(30));
  service_answer post(const std::string& path, const std::string& json,
                   const std::vector<std::pair<std::string, std::string>>& headers = {},
                   std::chrono::seconds patience = std::chrono::seconds(60));
  service_answer put(const std::string& path, const std::string& json);
  service_answer remove(const std::string& path);
  service_answer patch(const std::string& path, const std::string& json);
  /// An answer without an end, line by line until `take` says false. `patience`: between two bytes.
  service_answer follow(const std::string& path, const std::vector<std::pair<std::string, std::string>>& headers,
                        const std::function<bool(std::string_view)>& take, std::chrono::seconds patience);

private:
  struct parts;
  std::unique_ptr<parts> parts_;
  std::string where_;
};

} // namespace taskmaster
