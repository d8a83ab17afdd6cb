#include "gateway/http_server.hpp"

#include "gateway/problem.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <tuple>

namespace taskmaster {
namespace {

constexpr std::size_t requests_a_connection = 100;
constexpr int backlog = 512; // Linux cuts it to net.core.somaxconn

thread_local http_connection* serving = nullptr;

/// The library's view of a socket. `socket()` keeps its descriptor to itself above FD_SETSIZE, where the library would refuse to go on.
class library_stream final : public httplib::Stream {
public:
  explicit library_stream(const http_connection& c) : connection_(c), socket_(c.socket) {}
  bool is_readable() const override { return socket_.readable(); }
  bool is_writable() const override { return true; } // write() waits by itself
  ssize_t read(char* to, size_t size) override { return socket_.read(to, size); }
  ssize_t write(const char* from, size_t size) override {
    return connection_.stream ? static_cast<ssize_t>(size) : socket_.write(from, size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { std::tie(ip, port) = socket_.peer(); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { std::tie(ip, port) = socket_.local(); }
  socket_t socket() const override { return socket_.descriptor() < FD_SETSIZE ? socket_.descriptor() : 0; }

private:
  const http_connection& connection_;
  http_socket& socket_;
};

/// The library's pool, with a count of the connections that wait in it or are served.
class counting_pool final : public httplib::TaskQueue {
public:
  counting_pool(std::size_t threads, std::atomic<std::size_t>& count) : pool_(threads), count_(count) {}
  // void in 0.11, bool in 0.18.
  using enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(std::function<void()>()));
  enqueued enqueue(std::function<void()> fn) override {
    ++count_;
    return pool_.enqueue(std::move(fn));
  }
  void shutdown() override { pool_.shutdown(); }

private:
  httplib::ThreadPool pool_;
  std::atomic<std::size_t>& count_;
};

} // namespace

void http_connection::close() {
  ends = true;
  if (!request) return;
  // The library closes, and says so, when the request asks for it.
  request->headers.erase("Connection");
  request->headers.emplace("Connection", "close");
}

http_server::http_server(std::size_t threads, std::chrono::seconds keep_alive) : threads_(threads), keep_alive_(keep_alive) {
  new_task_queue = [this]() -> httplib::TaskQueue* { return new counting_pool(threads_, connections_); };
  set_tcp_nodelay(true);
  set_keep_alive_max_count(requests_a_connection);
  set_keep_alive_timeout(static_cast<time_t>(keep_alive.count()));
  set_socket_options([](socket_t sock) {
    const int on = 1;
    ::setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
}

http_connection& http_server::current() { return *serving; }

int http_server::open(const std::string& host, int port) {
  const int got = port == 0 ? bind_to_any_port(host) : bind_to_port(host, port) ? port : -1;
  if (got <= 0) return 0;
  ::listen(svr_sock_, backlog);
  return got;
}

void http_server::leave() { leaving_.raise(); }

bool http_server::process_and_close_socket(socket_t sock) {
  http_socket socket(sock, leaving_);
  const int on = 1;
  ::setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // the library's own loop would have done it
  serve(socket);
  --connections_;
  return true;
}

void http_server::serve(http_socket& socket) {
  // An idle client keeps its thread only as long as nobody waits for one.
  const auto pressed = [this] { return connections_ > threads_; };
  for (std::size_t n = 1; n <= requests_a_connection && socket.wait_for_request(keep_alive_, pressed); ++n) {
    socket.begin_request();
    http_connection connection{socket};
    library_stream stream(connection);
    serving = &connection;
    const std::function<void(httplib::Request&)> setup = [&](httplib::Request& request) {
      connection.request = &request;
      request.path = "/"; // routes are matched on the target, by http_call; the library's regular expressions see this
      request.ranges.clear();
    };
    bool closing = n == requests_a_connection || leaving_.raised();
    bool closed = false;
    const auto process = [&](auto& strm) {
      if constexpr (requires { this->process_request(strm, std::string(), 0, std::string(), 0, closing, closed, setup); }) {
        const auto peer = socket.peer(), local = socket.local();
        return this->process_request(strm, peer.first, peer.second, local.first, local.second, closing, closed, setup);
      } else {
        return this->process_request(strm, closing, closed, setup);
      }
    };
    const bool answered = process(static_cast<httplib::Stream&>(stream));
    socket.flush(); // the answer to HEAD has no body to leave with
    // After setup the request belongs to the library's stack frame, which is gone: only remember what matters.
    const bool parsed = connection.request != nullptr;
    serving = nullptr;
    if (connection.stream) return streams_.take(socket.descriptor(), socket.peer().first, std::move(connection.stream));
    if (!parsed && !socket.wrote() && socket.header_too_long()) {
      const auto body = problem_json(431, "Request header fields too large",
                                     "The request line and headers are too long: together they may have " + std::to_string(http_socket::header_limit)
                                         + " bytes, and one line " + std::to_string(http_socket::line_limit) + ".");
      const auto text = "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Type: " + std::string(problem_content_type)
                        + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      socket.write(text.data(), text.size());
    }
    if (!answered || closed || closing || !parsed || connection.ends) break;
  }
  if (socket.wrote()) socket.linger();
}

} // namespace taskmaster
