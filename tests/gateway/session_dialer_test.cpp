// The worker's dialer over real sockets: what it leaves behind when it goes, and that a dial does not ride on an old connection.
#include "gateway/channel_keeper.hpp"
#include "gateway/session_client.hpp"
#include "tests/catch.hpp"

#include <atomic>
#include <caf/all.hpp>
#include <future>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

/// A port that nobody serves: bound, so that nobody else gets it, and not listening.
class port_holder {
public:
  explicit port_holder(bool listening = false) : fd(socket(AF_INET, SOCK_STREAM, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    if (listening) REQUIRE(listen(fd, 16) == 0);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  }
  port_holder(const port_holder&) = delete;
  port_holder& operator=(const port_holder&) = delete;
  ~port_holder() { close(fd); }
  std::string text() const { return "127.0.0.1:" + std::to_string(ntohs(address.sin_port)); }
  const int fd;

private:
  sockaddr_in address{};
};

/// Stands in for the worker: says when a stream has ended.
worker_actor::behavior_type listener(worker_actor::pointer, std::shared_ptr<std::atomic<int>> ended) {
  return {
      [ended](link_event& e) {
        if (!e.opened && !e.message) ++*ended;
      },
      [](tick_atom) {},
      [](report_atom, std::uint64_t, const run_report&) {},
      [](run_atom) {},
      [](report_atom) {},
      [](drain_atom) -> caf::result<done_answer> { return done_answer(done{}); },
      [](stop_atom) {},
  };
}

} // namespace

TEST_CASE("a dialer that goes while its stream is ending takes gRPC's threads down in order") {
  caf::actor_system_config config;
  caf::actor_system system(config);
  auto ended = std::make_shared<std::atomic<int>>(0);
  const port_holder nobody;
  // With the last channel dropped on gRPC's own thread the process aborts, within a few rounds.
  for (int i = 0; i < 50; ++i) {
    caf::scoped_actor self(system);
    auto who = system.spawn(listener, ended);
    auto dialer = make_session_dialer();
    dialer->dial(nobody.text(), 1, who);
    if (i % 2) std::this_thread::yield();
    dialer.reset(); // waits until gRPC has let go of the stream
    self->send_exit(who, caf::exit_reason::user_shutdown);
    self->wait_for(who);
  }
  SUCCEED("nothing aborted");
}

TEST_CASE("every dial makes a connection of its own, so a dead one is left behind") {
  caf::actor_system_config config;
  caf::actor_system system(config);
  auto ended = std::make_shared<std::atomic<int>>(0);
  const port_holder server(true);
  auto who = system.spawn(listener, ended);
  auto dialer = make_session_dialer();
  // Each connection is greeted (an empty HTTP/2 SETTINGS frame: gRPC counts it as ready) and then never answered, as if the network had
  // gone: a later dial must not ride on an earlier connection.
  constexpr char greeting[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
  std::vector<int> taken;
  for (std::uint64_t dial = 1; dial <= 3; ++dial) {
    dialer->dial(server.text(), dial, who);
    timeval limit{10, 0};
    setsockopt(server.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const int fd = accept(server.fd, nullptr, nullptr);
    REQUIRE(fd >= 0);
    REQUIRE(send(fd, greeting, sizeof greeting, MSG_NOSIGNAL) == sizeof greeting);
    char preface[24];
    REQUIRE(recv(fd, preface, sizeof preface, MSG_WAITALL) == sizeof preface);
    taken.push_back(fd);
  }
  for (const int fd : taken) close(fd);
  caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
}

TEST_CASE("a keeper drops the channels that nobody uses and keeps the others") {
  channel_keeper keeper;
  std::weak_ptr<grpc::Channel> unused = keeper.open("127.0.0.1:9", 1 << 20);
  auto used = keeper.open("127.0.0.1:9", 1 << 20);
  keeper.let_go();
  CHECK(unused.expired());
  CHECK(used.use_count() == 2);
  used.reset();
}
