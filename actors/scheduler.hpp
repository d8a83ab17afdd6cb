// The scheduler's desk: stores what clients submit (everything that arrived while the last batch was being committed is the next
// batch), announces it to the coordinator, and answers questions by laying what the leader knows over what the database says.
// Event-based; bounded: past the limits it answers ec::exhausted.
#pragma once
#include "actors/interfaces.hpp"
#include "actors/metrics.hpp"
#include "actors/store_lane.hpp"

#include <deque>
#include <functional>

namespace taskmaster {

struct scheduler_config {
  std::size_t tasks_most = 100'000;       // submitted and not committed
  std::size_t bytes_most = 128u << 20;    // their payloads
  std::size_t reads_most = 2'000;         // questions under way
  std::size_t waits_most = 1'000;         // clients waiting for an outcome
  std::size_t bulks_most = 4;             // bulk requests under way
  std::size_t batch_rows = 1'000;
  std::size_t batch_bytes = 4u << 20;
  std::function<uuid()> make_id; // of a task; empty: of this machine's clock and its random bits
};

/// Keyed submits have a lane of their own: somebody's open transaction on a key stalls nobody else (protocol 3.1 #7). `overflow` takes full batches
/// while `submits` is storing another.
struct scheduler_lanes {
  store_lane_actor submits, overflow, keyed, reads;
};

/// The scheduler with its own clock, which only it uses.
using scheduler_desk_actor = scheduler_actor::extend<
    // Asks the leader again for those who wait for an outcome, after it did not answer.
    caf::reacts_to<tick_atom>,
    // To itself: there is something to store.
    caf::reacts_to<run_atom>>;

class scheduler_state {
public:
  using self_ptr = scheduler_desk_actor::stateful_pointer<scheduler_state>;
  static inline const char* name = "scheduler";

  void start(self_ptr self, scheduler_config config, scheduler_lanes lanes, coordinator_actor coordinator, event_feed_actor events,
             std::shared_ptr<metrics> meters);
  const event_feed_actor& events() const { return events_; }

  // -- scheduler_submit.cpp --
  caf::result<submit_answer> submit(submit_request& request);
  void store(); ///< the next batch of each line that is free
  // -- scheduler_read.cpp --
  caf::result<find_answer> find(const uuid& id);
  caf::result<list_answer> list(const task_filter& filter);
  caf::result<attempts_answer> attempts(const uuid& id);
  caf::result<queues_answer> queues();
  // -- scheduler_queues.cpp --
  caf::result<queue_answer> queue(const std::string& name);
  caf::result<queue_answer> set_queue(const queue_change& change);
  caf::result<explain_answer> explain(const uuid& id);
  caf::result<health> check();
  // -- scheduler_schedules.cpp --
  caf::result<schedule_answer> change_schedule(const schedule_command& command);
  caf::result<schedule_found_answer> ask_schedules(const schedule_query& query);
  // -- scheduler_control.cpp --
  caf::result<wait_answer> wait(const uuid& id, caf::timespan timeout);
  void next_rounds();
  caf::result<cancelled_answer> cancel(const uuid& id);
  caf::result<find_answer> retry(const uuid& id);
  caf::result<find_answer> edit(const edit_request& request);
  caf::result<bulk_answer> bulk(bulk_request& request);
  caf::result<workers_answer> workers();
  caf::result<done_answer> drain(const std::string& id);

private:
  using submit_promise = caf::typed_response_promise<submit_answer>;
  /// The rows of one request that go through one lane; both halves of a mixed request answer together.
  struct submission {
    submit_promise promise;
    std::vector<inserted> answers;
    std::optional<error> failure;
    int open = 0; // lanes that have not answered
    steady_time since;
  };
  struct share {
    std::shared_ptr<submission> of;
    std::vector<new_task> tasks;
    std::vector<std::size_t> places; // in the submission's answers
    std::map<std::size_t, task_spec> replacing; // by place: what is to take the place of a waiting task that holds its key
    int tries = 0;
    std::size_t bytes = 0;
    std::vector<std::size_t> graphs = {}; // how many of its rows are each graph's; none: rows by themselves
  };
  /// While a batch is stored the next one forms. A full one need not wait if there is another lane: writing the arguments and reading the
  /// answer then go on beside PostgreSQL's part. What is less stays, so that clients share a statement.
  struct line {
    struct way {
      store_lane_actor lane;
      bool busy = false;
    };
    std::vector<way> ways;
    std::deque<share> waiting;
    std::size_t rows = 0, bytes = 0; // of `waiting`
  };
  struct waiting_client {
    uuid id;
    steady_time until;
    caf::typed_response_promise<wait_answer> promise;
    bool answered = false;
    bool looking = false, again = false; // the database is being asked; and the leader has answered meanwhile
  };

  void wake(); ///< store() once for all that is in the mailbox by now: under load the batches are larger, alone nothing waits
  void enqueue(line& l, share part);
  void flush(line& l);
  void store_batch(line& l, line::way& way);
  uuid new_id() const;
  void replace(const std::shared_ptr<submission>& whole, std::size_t place, task_spec spec, int tries);
  void row_done(submission& whole);
  void committed(std::vector<share>& batch, expected<std::vector<inserted>>& answer);
  template <class Call, class Then>
  void read(Call call, Then then);
  void look(const uuid& id, std::function<void(find_answer)> then);
  void overlay(std::vector<task_record> records, std::function<void(std::vector<task_record>)> then);
  void ask_live(live_request request, std::function<void(live_answer)> then);
  void all_queues(std::function<void(queues_answer)> then);
  void one_queue(const std::string& name, std::function<void(queue_answer)> then);
  void wait_round(std::shared_ptr<waiting_client> client);
  void answer_wait(const std::shared_ptr<waiting_client>& client, wait_answer answer);
  steady_time now() const { return self_->system().clock().now(); }
  timestamp wall_now() const;

  self_ptr self_ = nullptr;
  scheduler_config config_;
  store_lane_actor reads_;
  coordinator_actor coordinator_;
  event_feed_actor events_;
  std::shared_ptr<metrics> meters_;
  line submits_, keyed_;
  std::vector<std::shared_ptr<waiting_client>> next_round_;
  bool awake_ = false;
  std::size_t tasks_ = 0, bytes_ = 0, reading_ = 0, waiting_ = 0, bulks_ = 0;
};

/// Turns a failed CAF request (timeout, dead actor) into our error. `what`: "the coordinator".
error unreachable(const caf::error& e, const std::string& what);

scheduler_desk_actor::behavior_type scheduler(scheduler_state::self_ptr self, scheduler_config config, scheduler_lanes lanes,
                                         coordinator_actor coordinator, event_feed_actor events, std::shared_ptr<metrics> meters);

} // namespace taskmaster
