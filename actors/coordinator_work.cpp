// Tasks: announced, handed out, recorded, refilled.
#include "actors/coordinator.hpp"

#include "schema/mutant.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
// A batch of outcomes: enough that commits are shared, small enough that one statement ends well within its deadline (protocol 3.1 #12).
constexpr std::size_t batch_rows = 1'000;
constexpr std::size_t batch_bytes = 4u << 20;
// With so many outcomes unrecorded the database is behind: nothing new is handed out (protocol 3.4 #38).
constexpr std::size_t outbox_most = 20'000;
constexpr std::size_t refills_at_once = 4;
// How much further than a page a refill may walk past keys that have windows of their own.
constexpr std::size_t walk_factor = 16;
// Transactions that are not read again: so many are ten seconds of submits one by one. Of the others the scan reads what it knows already.
constexpr std::size_t told_most = 10'000;

} // namespace

void coordinator_state::wake() {
  if (awake_) return;
  awake_ = true;
  self_->send(self_, run_atom::value); // lands behind everything that is already in the mailbox: one turn for all of it
}

void coordinator_state::announce(announcement& tasks) {
  if (!leading()) return;
  for (const auto& row : tasks.tasks) clock_.witness(row.created_at, steady());
  const auto at = now();
  meters_->announced.Increment(static_cast<double>(tasks.tasks.size()));
  if (tasks.graphs) {
    edges_ = true;
    told_all_ = false;
  }
  bool counted = true;
  for (auto& row : tasks.tasks) counted = plan_.announced(std::move(row), at) && counted;
  if (counted && told_.size() < told_most) told_.insert(tasks.transactions.begin(), tasks.transactions.end());
  wake();
}

void coordinator_state::woken() {
  awake_ = false;
  work();
}

void coordinator_state::rung(std::int64_t set_for) {
  alarms_.rung(steady_time(steady_time::duration(set_for)));
  work();
}

void coordinator_state::work() {
  if (!leading()) return;
  const auto at = now();
  std::vector<plan::hand_out> out;
  if (outbox_.size() < outbox_most && plan_.dispatch(at, secret_, out)) wake();
  hand_out(out);
  for (const auto& s : plan_.take_silent(at)) order(s.session, cancel_run{s.task, s.fence, "no progress within its heartbeat_timeout"});
  for (auto& c : plan_.take_changes()) {
    if (c.what != task_change::type::finish || edges_ || waiters_.contains(c.id) || cancels_.contains(c.id)) record_pace_.hurry();
    outbox_.push_back(std::move(c));
  }
  if (plan_.take_held_up()) record_pace_.hurry();
  record();
  run_schedules();
  follow_up();
  refill();
  publish();
  arm(plan_.next_due(at));
  if (!scheduling_ && steady() >= schedule_again_) arm(schedules_.next_due());
}

void coordinator_state::hand_out(std::vector<plan::hand_out>& out) {
  const auto at = now();
  for (auto& h : out) {
    meters_->dispatched.Increment(static_cast<double>(h.tasks.size()));
    for (const auto& t : h.tasks) meters_->lateness_seconds.Observe(std::chrono::duration<double>(at - t.run_at).count());
    order(h.session, assign{std::move(h.tasks)});
  }
}

void coordinator_state::arm(std::optional<timestamp> due) {
  if (!due) return;
  const auto wait = *due - now();
  if (wait > std::chrono::milliseconds(100)) return; // a tick comes first
  const caf::timespan drift = wait / 4'000; // the bound runs 200 ppm slow
  const auto after = std::max<caf::timespan>(wait + drift, std::chrono::microseconds(20));
  ring(steady() + after);
}

void coordinator_state::ring(steady_time at) {
  if (alarms_.set(at)) self_->delayed_send(self_, at - steady(), run_atom::value, static_cast<std::int64_t>(at.time_since_epoch().count()));
}

void coordinator_state::record() {
  if (recording_ || steady() < record_again_) return;
  if (in_flight_.empty() && keeping_.empty() && !outbox_.empty()) {
    if (const auto until = record_pace_.wait_until(steady(), outbox_.size())) return ring(*until);
    std::size_t bytes = 0;
    while (!outbox_.empty() && in_flight_.size() < batch_rows && bytes < batch_bytes) {
      bytes += outbox_.front().result.size() + 200;
      in_flight_.push_back(std::move(outbox_.front()));
      outbox_.pop_front();
    }
  }
  // What a run left is there before its outcome is: whoever reads the row for the next attempt reads it too.
  if (keeping_.empty() && plan_.has_checkpoints() && (!in_flight_.empty() || steady() >= keep_from_)) keeping_ = plan_.take_checkpoints();
  if (in_flight_.empty() && keeping_.empty()) return;
  recording_ = true;
  record_pace_.went(steady(), in_flight_.size());
  ask_store(
      self_, writes_,
      [term = term_, batch = in_flight_, kept = keeping_](task_store& s) -> expected<recorded> {
        if (!kept.empty()) {
          std::size_t bytes = 0;
          for (const auto& c : kept) bytes += c.json ? c.json->size() : 0;
          const auto done = s.keep_checkpoints(term, kept, limit + std::chrono::milliseconds(bytes / 10'000));
          // Bytes that the database will not take cost a checkpoint, never an outcome.
          if (!done && done.failure().code == ec::invalid_argument) spdlog::error("checkpoints were not kept: {}", to_string(done.failure()));
          else if (!done) return done.failure();
        }
        if (batch.empty()) return recorded{};
        return s.record(term, batch, limit);
      },
      [this, epoch = epoch_](expected<recorded>& answer) {
        if (epoch != epoch_) return;
        recording_ = false;
        recorded_batch(answer);
      });
}

void coordinator_state::recorded_batch(expected<recorded>& answer) {
  if (!answer && answer.failure().code == ec::ambiguous && mutant("ambiguous_is_done"))
    answer = recorded{std::vector<change_answer>(in_flight_.size(), {change_verdict::applied, now()}), now()};
  if (!answer) {
    if (answer.failure().code == ec::deposed) return step_down("another coordinator has taken over");
    // Not done, or nobody knows (R7): the same batch again. What had been done answers `already` or is read again.
    meters_->record_retries.Increment();
    spdlog::warn("{} outcomes could not be recorded, trying again: {}", in_flight_.size(), to_string(answer.failure()));
    record_again_ = steady() + std::chrono::milliseconds(200);
    return;
  }
  clock_.witness(answer->now, steady());
  std::vector<plan::settled> settled;
  std::vector<plan::hand_out> marked;
  std::vector<uuid> again;
  plan_.sweep(steady()); // tombstones count their age from here, and the last tick may be long ago
  plan_.recorded(in_flight_, *answer, now(), secret_, settled, marked, again);
  meters_->recorded.Increment(static_cast<double>(in_flight_.size()));
  if (edges_ && std::any_of(in_flight_.begin(), in_flight_.end(), [](const auto& c) { return c.what == task_change::type::finish; })) told_all_ = false;
  in_flight_.clear();
  if (!keeping_.empty()) keep_from_ = steady() + config_.keep_every;
  keeping_.clear();
  hand_out(marked);
  acknowledge(settled);
  if (!again.empty()) read_again(std::move(again));
  wake();
}

void coordinator_state::acknowledge(const std::vector<plan::settled>& settled) {
  std::map<session_id, acknowledged> out;
  for (const auto& s : settled) {
    if (s.session && !s.fence.none()) out[s.session].tasks.push_back({s.task, s.fence, s.stale, term_});
    if (!s.finished) continue;
    if (schedules_.task_finished(s.task, now())) wake();
    if (const auto it = waiters_.find(s.task); it != waiters_.end()) {
      for (auto& w : it->second) w.promise.deliver(finish_answer(true));
      waiters_.erase(it);
    }
    if (const auto it = cancels_.find(s.task); it != cancels_.end()) {
      for (auto& p : it->second) p.deliver(cancel_answer(cancel_verdict{s.cancelled}));
      cancels_.erase(it);
    }
  }
  for (auto& [id, tasks] : out) order(id, std::move(tasks));
}

void coordinator_state::read_again(std::vector<uuid> ids) {
  struct read {
    std::vector<task> rows;
    std::vector<task_record> ended;
  };
  ask_store(
      self_, reads_,
      [ids](task_store& s) -> expected<read> {
        auto rows = s.load(ids, limit);
        if (!rows) return rows.failure();
        read out{std::move(*rows), {}};
        std::set<uuid> there;
        for (const auto& row : out.rows) there.insert(row.id);
        for (const auto& id : ids) {
          if (there.contains(id)) continue;
          auto record = s.find(id, limit);
          if (!record) return record.failure();
          if (*record && finished((*record)->state)) out.ended.push_back(std::move(**record));
        }
        return out;
      },
      [this, ids, epoch = epoch_](expected<read>& found) {
        if (epoch != epoch_) return;
        if (!found) { // no scan has to bring them: it may have met these rows while the plan still knew an older version
          unread_.insert(unread_.end(), ids.begin(), ids.end());
          return;
        }
        plan_.sweep(steady());
        std::set<uuid> there;
        for (auto& row : found->rows) {
          there.insert(row.id);
          plan_.met(std::move(row), now());
        }
        for (const auto& record : found->ended) plan_.tell_end(record);
        std::vector<plan::settled> over;
        for (const auto& id : ids) {
          if (there.contains(id) || !plan_.gone(id)) continue;
          over.push_back({id, {}, 0, true, false, true});
        }
        acknowledge(over);
        wake();
      });
}

void coordinator_state::refill_keys() {
  auto r = plan_.take_key_refill();
  if (r.windows.empty()) return;
  ++refilling_;
  ask_store(
      self_, reads_,
      [r, rows = config_.plan.line_rows, bytes = config_.plan.line_bytes](task_store& s) {
        return s.load_key_windows(r.windows, rows, bytes, limit);
      },
      [this, r, epoch = epoch_](expected<std::vector<window_page>>& pages) {
        if (epoch != epoch_) return;
        --refilling_;
        if (pages) {
          plan_.key_refilled(r, std::move(*pages), now());
          wake();
        } else {
          plan_.key_refill_failed(r);
        }
      });
}

void coordinator_state::refill() {
  // Keys first, one request of many at a time; what is left of the places is the buckets'.
  if (refilling_ < refills_at_once) refill_keys();
  if (refilling_ >= refills_at_once) return;
  for (const auto& r : plan_.take_refills(refills_at_once - refilling_)) {
    ++refilling_;
    ask_store(
        self_, reads_,
        [r, rows = config_.plan.window_rows, bytes = config_.plan.window_bytes](task_store& s) {
          if (r.past.empty()) return s.load_window(r.bucket, r.after, rows, bytes, limit);
          return s.load_window_past(r.bucket, r.after, rows, bytes, r.past, rows * walk_factor, limit);
        },
        [this, r, epoch = epoch_](expected<window_page>& page) {
          if (epoch != epoch_) return;
          --refilling_;
          if (page) {
            plan_.refilled(r, std::move(*page), now());
            wake();
          } else {
            plan_.refill_failed(r); // asked again with the next tick
          }
        });
  }
}

} // namespace taskmaster
