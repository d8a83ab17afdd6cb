// A worker: dials the coordinator, holds a session, runs what it is given on its executor pool, keeps every result until it is
// acknowledged. Decisions are `holdings`'; this actor talks. Event-based.
#pragma once
#include "actors/holdings.hpp"
#include "actors/interfaces.hpp"

#include <random>

namespace taskmaster {

/// What the dialer tells the worker. `dial` numbers the stream: what an older one still says is ignored (R10).
struct link_event {
  std::uint64_t dial = 0;
  std::shared_ptr<coordinator_link> opened; // set: the stream is open
  std::optional<to_worker> message;         // set: it said this
  std::string closed;                       // else: it ended, or never came to be, because …
};

using report_atom = caf::atom_constant<caf::atom("tm_report")>;

using worker_actor = caf::typed_actor<
    // From the dialer, in the stream's order.
    caf::reacts_to<link_event>,
    // Its own clock: heartbeats, redialling, the lease.
    caf::reacts_to<tick_atom>,
    // From an executor's thread: what a run says of itself.
    caf::reacts_to<report_atom, std::uint64_t, run_report>,
    // To itself: runs have ended.
    caf::reacts_to<run_atom>,
    // To itself: who still runs is to be told as started.
    caf::reacts_to<report_atom>,
    // Drain: no new work, what runs ends, results are delivered; then the answer.
    caf::replies_to<drain_atom>::with<done_answer>,
    // Stop at once: runs are cancelled and what has not ended is handed back.
    caf::reacts_to<stop_atom>>;

/// Opens streams to coordinators (gateway/session_client over gRPC, local_session in one process).
class coordinator_dialer {
public:
  virtual ~coordinator_dialer() = default;
  /// Never blocks; tells `who` by link_events.
  virtual void dial(const std::string& address, std::uint64_t number, worker_actor who) = 0;
  /// Ends every stream, also those to come; returns when none of them tells anybody anything any more. By the composition's thread.
  virtual void stop() {}
};

struct worker_config {
  std::string name;
  std::string incarnation;
  std::vector<std::string> coordinators; // tried in turn
  std::vector<std::string> queues;       // empty: all
  std::vector<std::string> kinds;
  holdings_options hold;
  std::uint64_t seed = 0; // of the reconnect jitter
};

class worker_state {
public:
  using self_ptr = worker_actor::stateful_pointer<worker_state>;
  static inline const char* name = "worker";

  worker_state() = default;
  void start(self_ptr self, worker_config config, std::shared_ptr<coordinator_dialer> dialer, executor_pool_actor pool);
  void hear(link_event& event);
  void tick();
  void work(); ///< starts what may start, sends results and credit
  void tell_in_time(); ///< work(), `started_told_after` a start
  caf::result<done_answer> drain();
  void stop();

  void hear_report(std::uint64_t run, run_report& said) { hold.reported(run, std::move(said)); }

private:
  void dial();
  void opened(std::shared_ptr<coordinator_link> link);
  void closed(const std::string& why);
  void hear_message(to_worker& message);
  void run(holdings::start what);
  void wake(); ///< work() once for all that is in the mailbox by now
  bool tell_starts(); ///< false: the stream is broken
  void leave_if_done();
  bool push(from_worker message);
  steady_time now() const { return self_->system().clock().now(); }

  self_ptr self_ = nullptr;
  worker_config config_;
  std::shared_ptr<coordinator_dialer> dialer_;
  executor_pool_actor pool_;
  std::mt19937_64 chance_;

  holdings hold;
  std::shared_ptr<coordinator_link> link_;
  bool dialling_ = false, welcomed_ = false, reads_joined_ = false, draining_ = false, said_draining_ = false, stopping_ = false, awake_ = false, will_tell_ = false;
  std::uint64_t dial_ = 0;
  std::size_t next_ = 0;
  std::string hint_; // the leader's address, from a refusal
  std::string where_, silent_; // whom the last dial was to; and who was given up for its silence
  std::string gone_;           // whose connection ended last without a word, or never came about
  int failures_ = 0;
  steady_time redial_{}, dialled_{};
  duration lease_{0}; // as the welcome gave it
  duration heartbeat_interval_ = std::chrono::milliseconds(500);
  std::uint64_t beat_ = 0;
  steady_time last_beat_{}, heard_{}, greeted_{};
  std::map<std::uint64_t, steady_time> asked_; // heartbeats not answered yet
  std::optional<caf::typed_response_promise<done_answer>> drained_;
};

worker_actor::behavior_type worker(worker_state::self_ptr self, worker_config config, std::shared_ptr<coordinator_dialer> dialer,
                                   executor_pool_actor pool);

} // namespace taskmaster

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::link_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::run_report)
