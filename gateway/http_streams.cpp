#include "gateway/http_streams.hpp"

#include "gateway/http_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

namespace taskmaster {
namespace {

using clock = std::chrono::steady_clock;

constexpr char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
                        "Connection: close\r\n\r\n";

} // namespace

struct http_streams::open {
  open(std::uint64_t n, int d, std::string p, std::shared_ptr<http_stream> s) : number(n), descriptor(d), peer(std::move(p)), source(std::move(s)) {}
  ~open() { ::close(descriptor); }
  const std::uint64_t number;
  const int descriptor;
  const std::string peer;
  std::shared_ptr<http_stream> source;
  std::string out = head; // and from `at` on it is not written yet
  std::size_t at = 0;
  bool asked = false, ends = false;
  clock::time_point moved = clock::now(); // when the client last took something
};

struct http_streams::inbox {
  std::mutex mutex;
  std::vector<std::unique_ptr<open>> arrived;
  std::vector<std::pair<std::uint64_t, http_stream::piece>> pieces; // for the stream of this number
  std::uint64_t last = 0;
  bool stopped = false;
  int bell[2] = {-1, -1};

  inbox() {
    if (::pipe2(bell, O_CLOEXEC | O_NONBLOCK) != 0) bell[0] = bell[1] = -1;
  }
  ~inbox() {
    for (const int d : bell)
      if (d >= 0) ::close(d);
  }
  void ring() {
    [[maybe_unused]] const auto n = ::write(bell[1], "", 1); // a full pipe rings as well
  }
};

http_streams::http_streams() : inbox_(std::make_shared<inbox>()) {}

http_streams::~http_streams() { stop(); }

void http_streams::take(int descriptor, std::string peer, std::shared_ptr<http_stream> stream) {
  const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return;
  ::setsockopt(own, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  const unsigned gone_after = 30'000; // ms without an acknowledgement: a client that lost its power says nothing
  ::setsockopt(own, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone_after, sizeof gone_after);
  std::lock_guard starting(starting_);
  {
    std::lock_guard lock(inbox_->mutex);
    auto s = std::make_unique<open>(++inbox_->last, own, std::move(peer), std::move(stream));
    if (inbox_->stopped) return;
    inbox_->arrived.push_back(std::move(s));
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  inbox_->ring();
}

void http_streams::stop() {
  std::lock_guard starting(starting_);
  {
    std::lock_guard lock(inbox_->mutex);
    inbox_->stopped = true;
  }
  inbox_->ring();
  if (thread_.joinable()) thread_.join();
}

void http_streams::ask(open& s) {
  if (s.asked || s.ends || s.at < s.out.size()) return;
  s.asked = true;
  s.source->next([to = inbox_, stream = s.number](http_stream::piece p) {
    std::lock_guard lock(to->mutex);
    if (!to->stopped) to->pieces.emplace_back(stream, std::move(p));
    to->ring();
  });
}

/// False: the connection is over.
bool http_streams::write(open& s) {
  while (s.at < s.out.size()) {
    const auto n = ::send(s.descriptor, s.out.data() + s.at, s.out.size() - s.at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    s.at += static_cast<std::size_t>(n);
    s.moved = clock::now();
  }
  s.out.clear();
  s.at = 0;
  return !s.ends;
}

void http_streams::run() {
  const auto too_slow = [](const open& s) { // nothing can be said to it: what was written before fills its buffers
    if (s.at == s.out.size() || clock::now() - s.moved < silence) return false;
    spdlog::info("the event stream of {} is cut: nothing was read for {} s; its client can resume with the last id it has", s.peer, silence.count());
    return true;
  };
  std::vector<pollfd> fds;
  for (;;) {
    fds.assign(1, {inbox_->bell[0], POLLIN, 0});
    std::vector<open*> order;
    for (auto& s : streams_) {
      order.push_back(s.get());
      fds.push_back({s->descriptor, static_cast<short>(POLLIN | (s->at < s->out.size() ? POLLOUT : 0)), 0});
    }
    ::poll(fds.data(), fds.size(), 1'000); // for those that take nothing
    char rung[64];
    while (::read(inbox_->bell[0], rung, sizeof rung) > 0) {}

    std::vector<std::uint64_t> over;
    for (std::size_t i = 0; i < order.size(); ++i) {
      auto& s = *order[i];
      bool alive = true;
      if (fds[i + 1].revents & (POLLIN | POLLERR | POLLHUP)) {
        char said[512]; // a client has nothing more to say, but that it leaves
        const auto n = ::recv(s.descriptor, said, sizeof said, MSG_DONTWAIT);
        alive = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
      }
      if (alive && s.at < s.out.size()) alive = write(s) && !too_slow(s);
      if (!alive) over.push_back(s.number);
    }

    std::vector<std::unique_ptr<open>> arrived;
    std::vector<std::pair<std::uint64_t, http_stream::piece>> pieces;
    {
      std::lock_guard lock(inbox_->mutex);
      if (inbox_->stopped) break;
      arrived.swap(inbox_->arrived);
      pieces.swap(inbox_->pieces);
    }
    for (auto& [to, piece] : pieces) {
      for (auto& s : streams_) {
        if (s->number != to) continue;
        s->asked = false;
        s->ends = piece.ends;
        s->out += piece.text;
        s->moved = clock::now();
        if (!write(*s)) over.push_back(to);
        break;
      }
    }
    for (auto& s : arrived) {
      streams_.push_back(std::move(s));
      if (!write(*streams_.back())) over.push_back(streams_.back()->number);
    }
    streams_.remove_if([&](const auto& s) { return std::find(over.begin(), over.end(), s->number) != over.end(); });
    for (auto& s : streams_) ask(*s);
  }
  streams_.clear();
  std::lock_guard lock(inbox_->mutex);
  inbox_->arrived.clear();
}

} // namespace taskmaster
