// Announcements on their way to the coordinator: whole, or in parts that are looked for.
#include "gateway/coordinator_client.hpp"
#include "gateway/grpc_server.hpp"
#include "tests/catch.hpp"

#include "taskmaster/v1/coordinator.grpc.pb.h"

#include <condition_variable>
#include <mutex>

using namespace taskmaster;
using namespace std::chrono_literals;

namespace {

/// Hears announcements until it has as many tasks as are wanted.
class listening_coordinator : public v1::CoordinatorService::Service {
public:
  grpc::Status Announce(grpc::ServerContext*, const v1::AnnounceRequest* in, v1::AnnounceResponse*) override {
    std::lock_guard guard{mutex_};
    heard_.push_back(*in);
    tasks_ += in->tasks_size();
    arrived_.notify_all();
    return grpc::Status::OK;
  }
  std::vector<v1::AnnounceRequest> hear(int tasks) {
    std::unique_lock lock{mutex_};
    REQUIRE(arrived_.wait_for(lock, 20s, [&] { return tasks_ >= tasks; }));
    tasks_ = 0;
    return std::exchange(heard_, {});
  }

private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<v1::AnnounceRequest> heard_;
  int tasks_ = 0;
};

announcement of_tasks(int count, std::size_t bytes_each) {
  announcement a;
  for (int n = 0; n < count; ++n) {
    task t;
    t.id = uuid::make(timestamp{});
    t.queue = t.kind = "x";
    t.payload = std::make_shared<const std::string>(bytes_each, '1');
    a.tasks.push_back(std::move(t));
  }
  a.transactions = {7, 9};
  return a;
}

} // namespace

TEST_CASE("an announcement names its transactions when it is told whole, and not when it goes in parts") {
  auto heard = std::make_unique<listening_coordinator>();
  auto& coordinator = *heard;
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::move(heard));
  auto server = taskmaster::grpc_server::start("127.0.0.1:0", std::move(services));
  REQUIRE(server);
  caf::actor_system_config config;
  caf::actor_system system(config);
  const auto open = std::make_shared<open_calls>();
  const auto client = system.spawn(coordinator_client, std::vector<std::string>{(*server)->address()}, open);

  caf::anon_send(client, announce_atom::value, of_tasks(3, 10));
  const auto whole = coordinator.hear(3);
  REQUIRE(whole.size() == 1);
  REQUIRE(whole[0].transactions_size() == 2);
  CHECK(whole[0].transactions(0) == 7);
  CHECK(whole[0].transactions(1) == 9);

  caf::anon_send(client, announce_atom::value, of_tasks(5, 900'000));
  const auto parts = coordinator.hear(5);
  caf::anon_send(client, announce_atom::value, of_tasks(3, 2'500'000)); // the last part is a full one, too
  const auto full = coordinator.hear(3);
  for (const auto* told : {&parts, &full}) {
    for (const auto& part : *told) CHECK(part.transactions_size() == 0);
  }
  CHECK(parts.size() == 2);
  CHECK(full.size() == 3);

  caf::anon_send(client, stop_atom::value);
  open->close();
}
