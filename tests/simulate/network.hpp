// The wires. Between a worker and a coordinator: streams as gRPC has them, in order, which stall, break so that each side hears of it
// at another time or not at all, and give out what they held when nobody counts on it any more. Between a scheduler and the
// coordinators: calls with a deadline, whose question or answer may be slow, lost or very late (gateway/coordinator_client does this
// in the product).
#pragma once
#include "actors/lease_view.hpp"
#include "actors/worker.hpp"
#include "actors/worker_proxy.hpp"
#include "tests/simulate/books.hpp"

namespace taskmaster::simulate {

/// In thousandths of messages or calls; changed as the run goes on.
struct network_weather {
  duration typical = microseconds(300);
  std::int64_t call_lost = 0, call_slow = 0;  // scheduler to coordinator and back
  std::int64_t announce_lost = 0, announce_late = 0;
};

/// A coordinator's process as it is reached by its address.
struct seat {
  std::shared_ptr<part> home;
  coordinator_desk_actor actor;
  std::shared_ptr<const lease_view> view;
  session_timing timing;
};

class stream;

class network {
public:
  network(world& w, books& b) : world_(w), books_(b) {}
  ~network();

  void sits(const std::string& address, seat s) { seats_[address] = std::move(s); }
  const seat* find(const std::string& address) const;

  struct worker_place {
    std::shared_ptr<part> home;
    std::string name, incarnation;
  };
  std::shared_ptr<coordinator_dialer> dialer(worker_place who);
  coordinator_actor route(const std::shared_ptr<part>& home, std::vector<std::string> addresses);

  /// The last results that this process of the worker has sent.
  void note_results(const books::session& who, const finished_tasks& results);
  const std::deque<run_result>& results_of(const books::session& who) { return results_[{who.worker, who.incarnation}]; }

  // -- faults --------------------------------------------------------------------------------------------------------
  /// One stream that is open, drawn; nullptr: there is none.
  std::shared_ptr<stream> any_stream();
  void break_stream(const std::shared_ptr<stream>& s, bool coordinator_hears, bool worker_hears);
  void stall(const std::shared_ptr<stream>& s, bool up, bool down, duration how_long);
  /// Nothing passes between the worker and the coordinator at `address` for a while; then what was under way arrives.
  void part_ways(const std::string& worker, const std::string& address, bool up, bool down, duration how_long);
  /// A process died: its peers hear of it soon, or not at all.
  void process_died(const std::shared_ptr<part>& home);

  network_weather weather;
  std::size_t faults = 0;
  duration latency() { return world_.dice.tailed(weather.typical); }

private:
  friend class stream;
  friend class simulated_dialer;
  friend struct route_state;
  void open(const worker_place& who, const std::string& address, std::uint64_t dial, worker_actor worker);
  bool apart(const std::string& worker, const std::string& address) const { return apart_.contains({worker, address}); }

  world& world_;
  books& books_;
  std::map<std::string, seat> seats_;
  std::vector<std::shared_ptr<stream>> streams_;
  std::multiset<std::pair<std::string, std::string>> apart_;
  std::map<std::pair<std::string, std::string>, std::deque<run_result>> results_;
  std::uint64_t number_ = 0;
};

} // namespace taskmaster::simulate
