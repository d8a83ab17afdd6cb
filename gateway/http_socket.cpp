#include "gateway/http_socket.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace taskmaster {
namespace {

constexpr std::chrono::milliseconds slice{50}; // how soon an idle connection notices that others wait
constexpr std::size_t buffer_size = 16 << 10;
constexpr std::size_t joined_most = 64 << 10; // a body beyond is worth a call of its own

/// Whether these bytes are an answer's head, all of it, and say that a body follows.
bool head_before_body(std::string_view bytes) {
  constexpr std::string_view length = "\r\nContent-Length: ";
  if (!bytes.starts_with("HTTP/1.1 ") || !bytes.ends_with("\r\n\r\n")) return false;
  const auto at = bytes.find(length);
  return at != std::string_view::npos && bytes[at + length.size()] != '0';
}

std::pair<std::string, int> name_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return {text, ntohs(v6.sin6_port)};
  }
  return {};
}

} // namespace

http_stop_signal::http_stop_signal() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

http_stop_signal::~http_stop_signal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void http_stop_signal::raise() {
  if (raised_.exchange(true)) return;
  const std::uint64_t one = 1;
  // A counter of one can always be written; without an eventfd the slices of wait_for_request notice `raised`.
  [[maybe_unused]] const auto n = ::write(descriptor_, &one, sizeof one);
}

http_socket::http_socket(int descriptor, const http_stop_signal& leaving)
    : descriptor_(descriptor), leaving_(leaving), buffer_(buffer_size) {
  // Child processes must not inherit a client.
  ::fcntl(descriptor_, F_SETFD, FD_CLOEXEC);
  begin_request();
}

http_socket::~http_socket() { ::close(descriptor_); }

bool http_socket::wait(short events, std::chrono::milliseconds limit, bool stops_early) const {
  pollfd fds[2] = {{descriptor_, events, 0}, {leaving_.descriptor(), POLLIN, 0}};
  const int n = ::poll(fds, stops_early ? 2 : 1, static_cast<int>(std::max<std::int64_t>(limit.count(), 0)));
  return n > 0 && fds[0].revents != 0 && !(stops_early && leaving_.raised());
}

bool http_socket::wait_for_request(std::chrono::milliseconds limit, const std::function<bool()>& pressed) {
  if (at_ < end_) return !leaving_.raised(); // the client did not wait for the answer before
  const auto until = clock::now() + limit;
  while (!leaving_.raised()) {
    if (wait(POLLIN, slice, true)) return true;
    if (clock::now() >= until || pressed()) return false;
  }
  return false;
}

void http_socket::begin_request() {
  header_bytes_ = 0;
  counting_header_ = true;
  wrote_ = ended_ = false;
  head_by_ = clock::now() + head_limit;
  read_by_ = clock::now() + request_limit;
  write_by_ = {};
}

bool http_socket::readable() const { return at_ < end_ || wait(POLLIN, silence_limit, true); }

ssize_t http_socket::read(char* to, std::size_t size) {
  if (counting_header_ && header_bytes_ >= header_limit) header_too_long_ = true;
  if (header_too_long_) return -1;
  if (at_ == end_) {
    // Mostly the bytes are there already: then there is nothing to wait for.
    auto n = leaving_.raised() ? -1 : ::recv(descriptor_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n < 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>((counting_header_ ? head_by_ : read_by_) - clock::now());
      if (!wait(POLLIN, std::min<std::chrono::milliseconds>(left, silence_limit), true)) return ended_ = true, -1;
      do {
        n = ::recv(descriptor_, buffer_.data(), buffer_.size(), 0);
      } while (n < 0 && errno == EINTR);
    }
    if (n <= 0) return ended_ = true, n;
    at_ = 0;
    end_ = static_cast<std::size_t>(n);
  }
  std::size_t n = std::min(size, end_ - at_);
  if (counting_header_) n = std::min(n, header_limit - header_bytes_);
  std::memcpy(to, buffer_.data() + at_, n);
  at_ += n;
  if (counting_header_) header_bytes_ += n;
  return static_cast<ssize_t>(n);
}

ssize_t http_socket::write(const char* from, std::size_t size) {
  wrote_ = true;
  const auto taken = static_cast<ssize_t>(size);
  if (head_.empty() && head_before_body({from, size})) {
    head_.assign(from, size);
    return taken;
  }
  if (!head_.empty() && size <= joined_most) {
    head_.append(from, size);
    return flush() ? taken : -1;
  }
  return flush() && send_all(from, size) ? taken : -1;
}

bool http_socket::flush() {
  if (head_.empty()) return true;
  const auto head = std::exchange(head_, {});
  return send_all(head.data(), head.size());
}

bool http_socket::send_all(const char* from, std::size_t size) {
  if (write_by_ == clock::time_point{}) write_by_ = clock::now() + request_limit;
  while (size > 0) {
    const auto n = ::send(descriptor_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      from += n;
      size -= static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(write_by_ - clock::now());
    if (!wait(POLLOUT, std::min<std::chrono::milliseconds>(left, silence_limit), true)) return false;
  }
  return true;
}

void http_socket::linger() {
  ::shutdown(descriptor_, SHUT_WR);
  const auto until = clock::now() + std::chrono::seconds(1);
  while (clock::now() < until && wait(POLLIN, std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()), true))
    if (::recv(descriptor_, buffer_.data(), buffer_.size(), MSG_DONTWAIT) <= 0) break;
}

const std::pair<std::string, int>& http_socket::peer() const {
  if (peer_) return *peer_;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const bool known = ::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  return peer_.emplace(known ? name_of(address) : std::pair<std::string, int>());
}

const std::pair<std::string, int>& http_socket::local() const {
  if (local_) return *local_;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const bool known = ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  return local_.emplace(known ? name_of(address) : std::pair<std::string, int>());
}

} // namespace taskmaster
