// One client's connection: waits with poll, never longer than its limits, and wakes when the server leaves. Used by http_server, on
// the connection's thread. Knows nothing of the HTTP library.
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace taskmaster {

/// Becomes readable for good when raised.
class http_stop_signal {
public:
  http_stop_signal();
  http_stop_signal(const http_stop_signal&) = delete;
  http_stop_signal& operator=(const http_stop_signal&) = delete;
  ~http_stop_signal();
  void raise();
  bool raised() const { return raised_; }
  int descriptor() const { return descriptor_; }

private:
  int descriptor_ = -1;
  std::atomic<bool> raised_{false};
};

class http_socket {
public:
  static constexpr std::size_t header_limit = 64 << 10;        // request line and headers
  static constexpr std::size_t line_limit = 32 << 10;          // one line of them, in newer versions of cpp-httplib
  static constexpr std::chrono::seconds silence_limit{5};      // of a client in mid-request, or that takes no bytes
  static constexpr std::chrono::seconds head_limit{10};        // to send the request line and headers: each slow client holds a thread
  static constexpr std::chrono::seconds request_limit{60};     // to send a request, and again to take its answer

  http_socket(int descriptor, const http_stop_signal& leaving);
  http_socket(const http_socket&) = delete;
  http_socket& operator=(const http_socket&) = delete;
  ~http_socket();

  /// Waits for the first byte of a request. False: closed, silent for `limit`, the server leaves, or `pressed` says that
  /// others need the thread.
  bool wait_for_request(std::chrono::milliseconds limit, const std::function<bool()>& pressed);
  /// Begins the count of header_limit, head_limit and request_limit.
  void begin_request();
  /// From here on bytes are the body's, which has a limit of its own.
  void begin_body() { counting_header_ = false; }
  /// A header over header_limit; or one that its reader gave up although bytes still came (versions of cpp-httplib take no line over
  /// line_limit and then leave without a word). Asked after a request that could not be parsed.
  bool header_too_long() const { return header_too_long_ || (header_bytes_ >= line_limit && !ended_); }
  bool wrote() const { return wrote_; }

  ssize_t read(char* to, std::size_t size);
  /// All of it, or -1. The head of an answer that has a body waits for the body and leaves with it, which spares a system call and the
  /// client a second wake-up; flush() when the request is over.
  ssize_t write(const char* from, std::size_t size);
  bool flush();
  bool readable() const;

  /// Says goodbye so that the client reads the answer although it was still sending: ends our side, then throws away what
  /// comes for a second at most. Closing at once would reset the connection and take the answer with it.
  void linger();

  const std::pair<std::string, int>& peer() const;
  const std::pair<std::string, int>& local() const;
  int descriptor() const { return descriptor_; }

private:
  using clock = std::chrono::steady_clock;
  bool wait(short events, std::chrono::milliseconds limit, bool stops_early) const;
  bool send_all(const char* from, std::size_t size);

  const int descriptor_;
  const http_stop_signal& leaving_;
  std::vector<char> buffer_;
  std::string head_; // waits for its body
  std::size_t at_ = 0, end_ = 0;
  std::size_t header_bytes_ = 0;
  bool counting_header_ = true, header_too_long_ = false, wrote_ = false, ended_ = false;
  clock::time_point head_by_, read_by_, write_by_;
  mutable std::optional<std::pair<std::string, int>> peer_, local_; // asked of the system once; the library wants them for each request
};

} // namespace taskmaster
