#include "gateway/channel_keeper.hpp"

#include <chrono>
#include <thread>

namespace taskmaster {

std::shared_ptr<grpc::Channel> channel_keeper::open(const std::string& address, int largest) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(largest);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  // Channels with equal arguments would share a connection, a dead one too.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return channels_.emplace_back(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args));
}

void channel_keeper::let_go() {
  std::erase_if(channels_, [](const auto& c) { return c.use_count() == 1; });
}

channel_keeper::~channel_keeper() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (let_go(), !channels_.empty()) {
    if (std::chrono::steady_clock::now() > end) {
      static auto* const left = new std::vector<std::shared_ptr<grpc::Channel>>; // never destroyed, on purpose
      left->insert(left->end(), channels_.begin(), channels_.end());
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

} // namespace taskmaster
