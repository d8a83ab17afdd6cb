// What a worker holds: queued, running, or finished and not acknowledged. Decides what may start, what to say in hello, what to forget
// (R10, R12, R13, R14). Pure: takes the monotonic clock's `now`; the worker actor acts. One thread.
#pragma once
#include "actors/executor.hpp"

#include <deque>
#include <list>
#include <map>
#include <unordered_map>

namespace taskmaster {

struct holdings_options {
  std::int32_t slots = 4;
  // The most that is held beyond the slots, and that only of short tasks: as many as runs of less than `short_run` ended in the last two such
  // times. A round trip to the leader takes a millisecond, in which 24 slots of a kind that takes none would stand empty; with tasks of a
  // second nothing is held. Credit once granted stands: if tasks grow long at that moment, up to `prefetch` of them come all the same and
  // wait for `queued_most`. (Tried: more ends than slots in 10 ms. Where the round trip takes longer than that it never begins.)
  std::int32_t prefetch = 0;
  // What has waited so long behind runs that do not end is handed back unstarted: another worker may have a slot. Its token of a rate is
  // spent. Not what is at_most_once, whose mark is written, nor what an older leader gave.
  duration queued_most = std::chrono::milliseconds(200);
  // Finished results that wait for their acknowledgement; at this many no credit is granted (R12).
  std::size_t results_most = 10'000;
  duration short_run = std::chrono::milliseconds(10); // see prefetch
};

class holdings {
public:
  explicit holdings(holdings_options options = {}) : options_(options) {}
  /// Before the first stream.
  void configure(holdings_options options) { options_ = options; }
  holdings(const holdings&) = delete; // keeps places in its own list
  holdings& operator=(const holdings&) = delete;

  /// A stream is open: what to name in hello. Nothing starts until the welcome.
  std::vector<signed_claim> held() const;
  std::int32_t credit_at_hello(steady_time now);
  void disconnected();

  struct start {
    std::uint64_t run = 0;
    assignment what;
  };
  /// Runs to be cancelled, because they run elsewhere or are finished. `asked`: when the hello was sent; the lease runs from then, since the
  /// welcome may have lain unread while this process stood still.
  std::vector<std::uint64_t> welcomed(const welcome& w, steady_time asked);
  /// Answered: what the worker asked at `asked` shows that the leader still counts on it.
  void heartbeat_answered(steady_time asked);
  void assigned(assign&& a, steady_time now);
  /// What may start now within the slots and the lease; each is running from here on. What has waited too long is handed back.
  std::vector<start> take_starts(steady_time now);
  void ended(std::uint64_t run, execution_result result, steady_time now);
  /// Runs that this stream has not been told of and that began at `until` or before.
  started_tasks take_started(steady_time now, steady_time until);
  bool untold_starts() const { return !untold_starts_.empty(); }
  void reported(std::uint64_t run, run_report report);
  /// What runs have said of themselves since it was asked last, about 1 MiB at most; empty: nothing (more).
  std::vector<task_progress> take_progress();
  /// The run to cancel; a queued one ends cancelled at once.
  std::optional<std::uint64_t> cancel(const cancel_run& c);
  /// What is recorded, or stale, is forgotten. Runs to be cancelled: stale ones (R13).
  std::vector<std::uint64_t> acknowledge(const acknowledged& a);
  /// Hands back what has not started; takes no more.
  void drain();

  /// Results not sent on this stream yet; they stay until acknowledged.
  finished_tasks take_results(std::size_t most, steady_time now);
  /// Credit to grant now.
  std::int32_t take_credit(steady_time now);

  bool idle() const { return queue_.empty() && running_.empty() && results_.empty(); }
  std::size_t queued() const { return queue_.size(); }
  std::size_t running() const { return running_.size(); }
  std::size_t results() const { return results_.size(); }
  std::uint64_t highest_term() const { return highest_term_; }
  const assignment* running_task(std::uint64_t run) const;

private:
  struct job {
    assignment what;
    steady_time begun;
    bool silenced = false; // runs elsewhere: its result says nothing to anyone (R13)
    run_report said;       // all of it, for the next stream
    bool untold = false, untold_checkpoint = false;
  };
  struct waiting {
    assignment what;
    steady_time since;
  };
  bool may_start(steady_time now) const { return welcomed_ && now < lease_until_; }
  void finish_unstarted(const assignment& a, run_outcome outcome);
  void hand_back(steady_time now);
  std::int32_t ahead(steady_time now);

  holdings_options options_;
  bool welcomed_ = false, draining_ = false;
  steady_time lease_until_{};
  duration lease_{0};
  std::uint64_t highest_term_ = 0, next_run_ = 1;
  std::deque<waiting> queue_;
  std::unordered_map<std::uint64_t, job> running_;
  std::deque<std::uint64_t> untold_starts_; // by number, so in the order they began; may have ended
  // In the order they ended, found by task and fence: ten thousand may wait while the database is away.
  using name = std::pair<uuid, fence>;
  struct kept {
    run_result what;
    std::optional<steady_time> begun;
  };
  std::list<kept> results_;
  std::map<name, std::list<kept>::iterator> result_of_;
  std::list<kept>::iterator unsent_ = results_.end(); // from here on not sent on this stream
  void keep(run_result&& r, std::optional<steady_time> begun = {});
  void forget(const uuid& task, const fence& f);
  void silence(const uuid& task, const fence& f, std::vector<std::uint64_t>& stop);
  std::int32_t granted_ = 0; // credit that the leader has and has not used
  // How many short runs ended: in the span before `counting_since_`, and from there on.
  std::int32_t ended_before_ = 0, ended_now_ = 0;
  steady_time counting_since_{};
};

} // namespace taskmaster
