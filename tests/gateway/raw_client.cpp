#include "tests/gateway/raw_client.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace taskmaster::test {

raw_client::raw_client(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval limit{5, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    ::close(descriptor_);
    descriptor_ = -1;
  }
}

raw_client::~raw_client() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void raw_client::finish() { ::shutdown(descriptor_, SHUT_WR); }

bool raw_client::read_some(std::string& to) {
  char buffer[4096];
  const auto n = ::recv(descriptor_, buffer, sizeof buffer, 0);
  if (n <= 0) return false;
  to.append(buffer, static_cast<std::size_t>(n));
  return true;
}

std::string raw_client::read_until(std::string_view text) {
  for (;;) {
    if (const auto at = kept_.find(text); at != std::string::npos) {
      auto out = kept_.substr(0, at + text.size());
      kept_.erase(0, out.size());
      return out;
    }
    if (!read_some(kept_)) return std::exchange(kept_, {});
  }
}

std::string raw_client::read_all() {
  auto out = std::exchange(kept_, {});
  while (read_some(out)) {
  }
  return out;
}

std::string raw_client::read_response() {
  std::string out;
  for (;;) {
    if (const auto head = out.find("\r\n\r\n"); head != std::string::npos) {
      const auto at = out.find("Content-Length: ");
      const auto length = at < head ? std::strtoul(out.c_str() + at + 16, nullptr, 10) : 0;
      if (out.size() >= head + 4 + length) return out;
    }
    if (!read_some(out)) return out;
  }
}

std::string raw_request(std::uint16_t port, std::string_view bytes) {
  raw_client client(port);
  client.send(bytes);
  return client.read_all();
}

int status_of_response(std::string_view response) {
  if (!response.starts_with("HTTP/1.1 ") || response.size() < 12) return 0;
  return std::atoi(std::string(response.substr(9, 3)).c_str());
}

} // namespace taskmaster::test
