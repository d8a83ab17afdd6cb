// Whether this node leads right now, for those who must know between two messages: worker proxies answer a heartbeat only under a
// trusted lease (R14). Written by leader_keeper (renounce: by the coordinator), read on any thread.
#pragma once
#include "schema/time.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace taskmaster {

class lease_view {
public:
  void set(std::uint64_t term, steady_time until) {
    until_.store(until.time_since_epoch().count(), std::memory_order_relaxed);
    term_.store(term, std::memory_order_release);
  }
  void clear() { term_.store(0, std::memory_order_release); }
  bool trusted(steady_time now) const {
    return term_.load(std::memory_order_acquire) != 0 &&
           now.time_since_epoch().count() < until_.load(std::memory_order_relaxed);
  }
  std::uint64_t term() const { return term_.load(std::memory_order_acquire); }

  /// The coordinator cannot lead in this term (it could not load, say); leader_keeper then hands the lease back and looks anew.
  void renounce(std::uint64_t term) { renounced_.store(term, std::memory_order_release); }
  std::uint64_t renounced() const { return renounced_.load(std::memory_order_acquire); }

  /// The cluster's secret; the same for ever once known.
  void secret(std::string s) {
    std::lock_guard lock(mutex_);
    secret_ = std::move(s);
  }
  std::string secret() const {
    std::lock_guard lock(mutex_);
    return secret_;
  }
  /// Where the leader is, when it is somebody else.
  void leader(std::string address) {
    std::lock_guard lock(mutex_);
    leader_ = std::move(address);
  }
  std::string leader() const {
    std::lock_guard lock(mutex_);
    return leader_;
  }

private:
  std::atomic<steady_time::rep> until_{0};
  std::atomic<std::uint64_t> term_{0}, renounced_{0};
  mutable std::mutex mutex_;
  std::string secret_, leader_;
};

} // namespace taskmaster
