// The gRPC calls that a client has under way. Their ends come on gRPC's threads and reach into actors, so a node waits for the last of
// them before its actor system goes. Any thread.
#pragma once
#include <condition_variable>
#include <grpcpp/client_context.h>
#include <mutex>
#include <set>

namespace taskmaster {

class open_calls {
public:
  /// Before the call starts. After close() it is cancelled at once.
  void enter(grpc::ClientContext& call);
  /// At its end, when nothing of it can reach an actor any more.
  void leave(grpc::ClientContext& call);
  /// Cancels them all, also those to come, and waits until the last has left; 5 s at most. Idempotent.
  void close();

private:
  std::mutex mutex_;
  std::condition_variable left_;
  std::set<grpc::ClientContext*> calls_;
  bool closed_ = false;
};

} // namespace taskmaster
