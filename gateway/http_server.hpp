// cpp-httplib's server with its sockets in our hands. The library parses requests and writes responses; waiting, reading,
// limits and closing are done here, because of what its own loop does (0.11, read and measured): no bound on a request line or on the number of headers; a
// limit for bodies that chunked ones pass; a connection kept open after a request it could not read; HTTP down for good
// once the process has 1,024 descriptors open (select); up to five seconds to stop; SO_REUSEPORT, so that two servers share a port unnoticed; a
// backlog of five. Only http_gateway and status_server include this header. One thread a connection, out of a pool;
// connections that became streams share one (http_streams).
#pragma once
#include "gateway/http_socket.hpp"
#include "gateway/http_streams.hpp"

#include <httplib.h>

#include <atomic>
#include <functional>
#include <string>

namespace taskmaster {

/// What a handler may say about the connection it works for.
struct http_connection {
  http_socket& socket;
  httplib::Request* request = nullptr; // null: the request could not be parsed
  bool ends = false;
  std::shared_ptr<http_stream> stream = nullptr; // takes the connection over; the library's answer is not sent
  /// Ends the connection after this answer, for requests whose body was not read to its end.
  void close();
};

class http_server final : public httplib::Server {
public:
  http_server(std::size_t threads, std::chrono::seconds keep_alive);

  /// The connection that the calling thread serves. Only within a handler.
  static http_connection& current();

  /// The port, or 0 when it cannot be had; 0 picks a free one.
  int open(const std::string& host, int port);
  /// Ends every stream.
  void end_streams() { streams_.stop(); }
  /// Wakes every thread that waits for a client, and refuses new connections. Follow it with stop().
  void leave();

private:
  bool process_and_close_socket(socket_t sock) override;
  void serve(http_socket& socket);

  const std::size_t threads_;
  const std::chrono::seconds keep_alive_;
  http_stop_signal leaving_;
  std::atomic<std::size_t> connections_{0};
  http_streams streams_;
};

} // namespace taskmaster
