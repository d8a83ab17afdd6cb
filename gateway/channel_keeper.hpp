// Holds the channels of one client (the worker's dialer, the scheduler's coordinator_client), so that the last reference to a channel is
// dropped by us and never by a call that gRPC's own thread finishes. gRPC 1.51 ends its callback threads with the last channel: on one of
// those threads it would wait for itself, and it aborts ("ref_counted.h … prior > 0"). Not thread-safe: used by its owner only.
#pragma once
#include <grpcpp/grpcpp.h>
#include <memory>
#include <string>
#include <vector>

namespace taskmaster {

class channel_keeper {
public:
  channel_keeper() = default;
  channel_keeper(const channel_keeper&) = delete;
  channel_keeper& operator=(const channel_keeper&) = delete;
  /// Waits for the calls that still use a channel; after two seconds it leaves such a channel to the end of the process.
  ~channel_keeper();

  /// A channel with a connection of its own, and a backoff fit for a takeover in three seconds (gRPC's grows to two minutes).
  /// Receives messages of up to `largest` bytes.
  std::shared_ptr<grpc::Channel> open(const std::string& address, int largest);

  /// Drops the channels that nobody else uses any more.
  void let_go();

private:
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

} // namespace taskmaster
