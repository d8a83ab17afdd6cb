// Runs tasks of kind `http`: one request, its answer is the result. Redirects are not followed, certificates are checked.
#pragma once
#include "actors/executor.hpp"
#include "actors/run_threads.hpp"

namespace taskmaster {

/// 2xx succeeds; any other status has failed with code "http_status", with retry_after for a 429 or 503 that asks for it; no
/// (whole) answer is code "connect".
class http_executor : public executor {
public:
  /// At most `threads` requests at a time; give it as many as the worker has slots. `standard_timeout` is for tasks without one.
  explicit http_executor(std::size_t threads, duration standard_timeout = std::chrono::seconds(60));

  void start(execution what, done_callback done) override;
  /// Cuts the connection. Only the look-up of a host's name cannot be cut short.
  void cancel(std::uint64_t run) override;
  void stop() override;

private:
  const duration standard_timeout_;
  run_threads threads_;
};

} // namespace taskmaster
