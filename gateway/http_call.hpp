// One HTTP request as the handlers see it, what they answer, and the table of routes. Knows nothing of the HTTP library, which only
// http_gateway and http_server include. Handlers run on the gateway's threads, several at once, and may block until the call's deadline.
#pragma once
#include "gateway/json_writer.hpp"
#include "gateway/query_string.hpp"
#include "gateway/scheduler_client.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Registry;
}

namespace taskmaster {

struct http_call {
  std::vector<std::string> arguments; // what stood for {…} in the route's path, decoded
  query_parameters query;
  std::vector<std::string> idempotency_keys; // each Idempotency-Key header
  std::string last_event_id;                 // the header, or empty
  std::string body;
};

/// An answer without an end, written piece by piece on the thread of http_streams. Destroyed when its connection is.
class http_stream {
public:
  struct piece {
    std::string text;
    bool ends = false;
  };
  virtual ~http_stream() = default;
  /// Has `then` called with the next piece, once, on any thread. Not called again before it was.
  virtual void next(std::function<void(piece)> then) = 0;
};

struct http_answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<http_stream> stream = nullptr; // instead of a body
};

/// What handlers share. Lives as long as the gateway.
struct http_desk {
  scheduler_client& scheduler;
  duration deadline; // of a call that does not wait on purpose
  std::function<timestamp()> now;
  std::size_t max_waiters;
  std::shared_ptr<prometheus::Registry> registry;
  std::string openapi; // the document, written once
  std::atomic<std::size_t> waiters{0};
  std::size_t max_streams = 256;
  duration heartbeat = std::chrono::seconds(15); // of an event stream on which nothing happens
  std::shared_ptr<std::atomic<std::size_t>> streams = std::make_shared<std::atomic<std::size_t>>(0); // shared with each of them
};

using http_handler = http_answer (*)(http_desk&, const http_call&);

struct http_parameter {
  const char* in; // "query" or "header"; path parameters are read off the path
  const char* name;
  const char* schema; // JSON text
  const char* description;
  bool required = false;
};

struct http_response {
  int status;
  const char* schema; // of components/schemas; nullptr: no JSON
  const char* description;
  const char* type = "text/plain"; // when it is no JSON
};

/// A row of the table that drives routing, 405 and the OpenAPI document.
struct http_route {
  const char* method;
  const char* path; // "/v1/tasks/{id}"
  http_handler handler;
  const char* name; // the operationId, and the label of its metrics
  const char* summary;
  std::vector<http_parameter> parameters;
  const char* body; // of components/schemas, or nullptr
  std::vector<http_response> responses; // beside `default`, a problem
};

const std::vector<http_route>& http_routes();

struct http_match {
  const http_route* route = nullptr;
  std::vector<std::string> arguments;
  std::string allow; // when the path is known and the method is not: "GET, HEAD, POST"
};
/// `path` as sent, without its query. HEAD finds the GET route.
expected<http_match> match_route(std::string_view method, std::string_view path);

/// A problem with its status, and Retry-After where waiting helps.
http_answer refuse(const error& e);
http_answer answer_json(int status, json_writer&& json);

/// The one argument {id} of a call, as a task's id.
expected<uuid> task_id_of(const http_call& call);

} // namespace taskmaster
