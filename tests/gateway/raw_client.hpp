// A plain TCP client, for requests that no HTTP library would send. Blocks; every read gives up after five seconds.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace taskmaster::test {

class raw_client {
public:
  explicit raw_client(std::uint16_t port);
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;
  ~raw_client();
  /// False when the server has closed.
  bool send(std::string_view bytes);
  /// No more bytes will come from here.
  void finish();
  /// Everything until the server closes.
  std::string read_all();
  /// Until this has come, or the server closes, or nothing comes for five seconds. What came behind it is kept for the next call.
  std::string read_until(std::string_view text);
  /// Until one response with Content-Length is complete.
  std::string read_response();

private:
  bool read_some(std::string& to);
  int descriptor_ = -1;
  std::string kept_; // of read_until
};

/// One request on a connection of its own; the answer up to its end of connection.
std::string raw_request(std::uint16_t port, std::string_view bytes);

/// The number in "HTTP/1.1 413 …", 0 when there is none.
int status_of_response(std::string_view response);

} // namespace taskmaster::test
