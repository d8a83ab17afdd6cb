// Clients that submit as fast as they are answered: over HTTP from one thread, over gRPC from gRPC's own. Each keeps a fixed number of
// requests under way.
#pragma once
#include "schema/time.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace taskmaster {

struct load_result {
  double per_s = 0;          // requests answered well, a second
  std::size_t failed = 0;    // answered otherwise, or not at all
  std::vector<double> milliseconds; // each request's, from first byte sent to last byte read
};

/// `body` is posted to `path` again and again on `connections` connections, each kept open for as long as the server keeps it.
load_result http_load(const std::string& address, const std::string& path, const std::string& body, std::size_t connections,
                      std::chrono::milliseconds time);

/// One task a call: kind `noop`, due in an hour.
load_result grpc_single_load(const std::string& address, std::size_t in_flight, std::chrono::milliseconds time);
/// A thousand tasks a call.
load_result grpc_batch_load(const std::string& address, std::size_t in_flight, std::chrono::milliseconds time);

/// A client that waits for each answer. Throws bench_stop when it is none.
class grpc_one {
public:
  explicit grpc_one(const std::string& address);
  ~grpc_one();
  /// `payload` is JSON; without `run_at` it is due at once.
  void submit(const std::string& kind, const std::string& payload, std::optional<timestamp> run_at);
  /// A task for each time, whose payload is that time in microseconds since 1970.
  void submit_all(const std::string& kind, const std::vector<timestamp>& run_at);

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace taskmaster
