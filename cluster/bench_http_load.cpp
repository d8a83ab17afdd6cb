// 64 connections need no 64 threads here: one thread and epoll leave the machine to the service.
#include "cluster/bench_load.hpp"
#include "cluster/bench_world.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace taskmaster {
namespace {

using clock = std::chrono::steady_clock;

sockaddr_in address_of(const std::string& text) {
  sockaddr_in to{};
  const auto colon = text.rfind(':');
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
  if (::inet_pton(AF_INET, text.substr(0, colon).c_str(), &to.sin_addr) != 1) throw bench_stop("'" + text + "' is no address");
  return to;
}

struct client {
  int socket = -1;
  std::size_t sent = 0;
  bool waits_to_send = false;
  std::string answer;
  clock::time_point begun;
};

class load {
public:
  load(const std::string& address, std::string request, std::size_t connections)
      : to_(address_of(address)), request_(std::move(request)), clients_(connections), poll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~load() {
    for (auto& c : clients_)
      if (c.socket >= 0) ::close(c.socket);
    ::close(poll_);
  }

  load_result run(std::chrono::milliseconds time) {
    const auto begun = clock::now(), end = begun + time;
    for (auto& c : clients_) connect(c);
    std::vector<epoll_event> events(clients_.size());
    while (clock::now() < end) {
      go_on();
      const int n = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < n; ++i) serve(*static_cast<client*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
    result_.per_s = static_cast<double>(result_.milliseconds.size()) / std::chrono::duration<double>(clock::now() - begun).count();
    return std::move(result_);
  }

private:
  void connect(client& c) {
    if (c.socket >= 0) ::close(c.socket);
    c.waits_to_send = false;
    c.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(c.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(c.socket, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) != 0) throw bench_stop(std::string("cannot connect: ") + std::strerror(errno));
    ::fcntl(c.socket, F_SETFL, O_NONBLOCK);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &c;
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, c.socket, &e);
    begin(c);
  }

  void begin(client& c) {
    c.sent = 0;
    c.answer.clear();
    c.begun = clock::now();
    send(c);
  }

  void send(client& c) {
    while (c.sent < request_.size()) {
      const auto n = ::send(c.socket, request_.data() + c.sent, request_.size() - c.sent, MSG_NOSIGNAL);
      if (n < 0) break;
      c.sent += static_cast<std::size_t>(n);
    }
    if (const bool wants = c.sent < request_.size(); wants != c.waits_to_send) {
      c.waits_to_send = wants;
      epoll_event e{};
      e.events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN;
      e.data.ptr = &c;
      ::epoll_ctl(poll_, EPOLL_CTL_MOD, c.socket, &e);
    }
  }

  void serve(client& c) {
    if (c.sent < request_.size()) send(c);
    char bytes[65'536];
    const auto n = ::recv(c.socket, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) { // between two answers the server may close; in the middle of one it may not
      if (c.sent || !c.answer.empty()) ++result_.failed;
      return connect(c);
    }
    c.answer.append(bytes, static_cast<std::size_t>(n));
    const auto head = c.answer.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const auto length = c.answer.find("Content-Length: ");
    if (length == std::string::npos || length > head) throw bench_stop("an answer without Content-Length");
    if (c.answer.size() < head + 4 + std::stoul(c.answer.substr(length + 16, 20))) return;
    if (c.answer.compare(9, 1, "2") == 0) {
      result_.milliseconds.push_back(std::chrono::duration<double, std::milli>(clock::now() - c.begun).count());
    } else {
      if (result_.failed == 0) first_fault_ = c.answer;
      if (++result_.failed > 1'000) throw bench_stop("the service refuses: " + first_fault_);
    }
    if (c.answer.find("Connection: close") < head) connect(c);
    else begin(c);
  }

  const sockaddr_in to_;
  const std::string request_;
  std::vector<client> clients_;
  int poll_;
  load_result result_;
  std::string first_fault_;
};

} // namespace

load_result http_load(const std::string& address, const std::string& path, const std::string& body, std::size_t connections,
                      std::chrono::milliseconds time) {
  return load(address,
              "POST " + path + " HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                  "\r\n\r\n" + body,
              connections)
      .run(time);
}

} // namespace taskmaster
