#include "actors/holdings.hpp"

#include "schema/mutant.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

bool names(const claim& c, const uuid& task, const fence& f) { return c.task == task && c.fence == f; }
duration since(steady_time begun, steady_time now) { return std::chrono::duration_cast<duration>(now - begun); }

} // namespace

std::vector<signed_claim> holdings::held() const {
  std::vector<signed_claim> out;
  for (const auto& q : queue_) out.push_back(q.what.what);
  for (const auto& [run, j] : running_)
    if (!j.silenced) out.push_back(j.what.what);
  for (const auto& r : results_) out.push_back(r.what.what);
  return out;
}

std::int32_t holdings::credit_at_hello(steady_time now) {
  granted_ = 0;
  return take_credit(now);
}

void holdings::disconnected() {
  welcomed_ = false; // R14: after a reconnect nothing starts until the welcome has judged what was named
  unsent_ = results_.begin();
  untold_starts_.clear();
  for (auto& [run, j] : running_) { // the next leader has not heard it
    untold_starts_.push_back(run);
    j.untold = !j.said.progress.empty() || j.said.checkpoint;
    j.untold_checkpoint = j.said.checkpoint != nullptr;
  }
  std::sort(untold_starts_.begin(), untold_starts_.end());
  if (!mutant("results_forgotten")) return;
  results_.clear();
  result_of_.clear();
  unsent_ = results_.end();
}

std::vector<std::uint64_t> holdings::welcomed(const welcome& w, steady_time asked) {
  welcomed_ = true;
  highest_term_ = std::max(highest_term_, w.term);
  lease_ = w.lease;
  lease_until_ = asked + w.lease;
  std::vector<std::uint64_t> stop;
  for (const auto& c : w.drop) {
    std::erase_if(queue_, [&](const waiting& q) { return names(q.what.what.what, c.task, c.fence); });
    forget(c.task, c.fence);
    silence(c.task, c.fence, stop);
  }
  return stop;
}

void holdings::silence(const uuid& task, const fence& f, std::vector<std::uint64_t>& stop) {
  for (auto& [run, j] : running_) {
    if (!names(j.what.what.what, task, f) || j.silenced) continue;
    j.silenced = true;
    stop.push_back(run);
  }
}

void holdings::keep(run_result&& r, std::optional<steady_time> begun) {
  const name key{r.what.what.task, r.what.what.fence};
  const auto at = results_.insert(results_.end(), {std::move(r), begun});
  result_of_[key] = at;
  if (unsent_ == results_.end()) unsent_ = at;
}

void holdings::forget(const uuid& task, const fence& f) {
  const auto found = result_of_.find({task, f});
  if (found == result_of_.end()) return;
  if (unsent_ == found->second) ++unsent_;
  results_.erase(found->second);
  result_of_.erase(found);
}

void holdings::heartbeat_answered(steady_time asked) { lease_until_ = std::max(lease_until_, asked + lease_); }

void holdings::assigned(assign&& a, steady_time now) {
  for (auto& t : a.tasks) {
    if (!mutant("credit_not_returned")) --granted_;
    if (draining_) finish_unstarted(t, run_outcome::returned); // answered, never dropped (S7)
    else queue_.push_back({std::move(t), now});
  }
}

void holdings::finish_unstarted(const assignment& a, run_outcome outcome) {
  run_result r;
  r.what = a.what;
  r.outcome = outcome;
  keep(std::move(r));
}

std::vector<holdings::start> holdings::take_starts(steady_time now) {
  std::vector<start> out;
  while (!queue_.empty() && (may_start(now) || mutant("starts_without_lease") || (mutant("starts_before_welcome") && !welcomed_)) && running_.size() < static_cast<std::size_t>(options_.slots)) {
    const auto run = next_run_++;
    auto& j = running_[run];
    j.what = queue_.front().what;
    j.begun = now;
    untold_starts_.push_back(run);
    out.push_back({run, std::move(queue_.front().what)});
    queue_.pop_front();
  }
  if (may_start(now)) hand_back(now);
  return out;
}

void holdings::hand_back(steady_time now) {
  if (queue_.empty() || now - queue_.front().since < options_.queued_most) return; // the rest came later
  std::erase_if(queue_, [&](const waiting& q) {
    const bool stays = now - q.since < options_.queued_most || q.what.delivery == delivery_mode::at_most_once || q.what.what.what.fence.term != highest_term_;
    if (!stays) finish_unstarted(q.what, run_outcome::returned);
    return !stays;
  });
}

started_tasks holdings::take_started(steady_time now, steady_time until) {
  started_tasks out;
  for (; !untold_starts_.empty(); untold_starts_.pop_front()) {
    const auto it = running_.find(untold_starts_.front());
    if (it == running_.end() || it->second.silenced) continue; // its result says that it began
    if (it->second.begun > until) break;
    out.tasks.push_back({it->second.what.what.what.task, it->second.what.what.what.fence, since(it->second.begun, now)});
  }
  return out;
}

void holdings::ended(std::uint64_t run, execution_result result, steady_time now) {
  const auto it = running_.find(run);
  if (it == running_.end()) return;
  if (!it->second.silenced) {
    run_result r;
    r.what = it->second.what.what;
    r.outcome = result.outcome;
    r.result = std::move(result.result);
    r.failure = std::move(result.failure);
    r.retry_after = result.retry_after;
    if (it->second.untold_checkpoint) r.checkpoint = std::move(it->second.said.checkpoint);
    keep(std::move(r), it->second.begun);
  }
  if (now - it->second.begun < options_.short_run) ++ended_now_;
  running_.erase(it);
}

void holdings::reported(std::uint64_t run, run_report report) {
  const auto it = running_.find(run);
  if (it == running_.end() || it->second.silenced) return;
  auto& j = it->second;
  j.untold = true;
  if (!report.progress.empty()) j.said.progress = std::move(report.progress);
  if (!report.checkpoint) return;
  j.said.checkpoint = std::move(report.checkpoint);
  j.untold_checkpoint = true;
}

std::vector<task_progress> holdings::take_progress() {
  std::vector<task_progress> out;
  constexpr std::size_t most_bytes = 1u << 20; // a heartbeat stays well under gRPC's message limit
  std::size_t bytes = 0;
  for (auto& [run, j] : running_) {
    if (!j.untold || j.silenced) continue;
    if (bytes > most_bytes) break;
    out.push_back({j.what.what.what.task, j.what.what.what.fence, j.said.progress, j.untold_checkpoint ? j.said.checkpoint : nullptr});
    bytes += 200 + j.said.progress.size() + (out.back().checkpoint ? out.back().checkpoint->size() : 0);
    j.untold = j.untold_checkpoint = false;
  }
  return out;
}

std::optional<std::uint64_t> holdings::cancel(const cancel_run& c) {
  for (auto it = queue_.begin(); it != queue_.end(); ++it) {
    if (!names(it->what.what.what, c.task, c.fence)) continue;
    finish_unstarted(it->what, run_outcome::cancelled);
    queue_.erase(it);
    return {};
  }
  for (auto& [run, j] : running_)
    if (names(j.what.what.what, c.task, c.fence)) return run;
  return {};
}

std::vector<std::uint64_t> holdings::acknowledge(const acknowledged& a) {
  std::vector<std::uint64_t> stop;
  for (const auto& t : a.tasks) {
    // "Recorded" is true whoever says it; "stale" only from a leader not older than the last one that welcomed us (R12).
    if (t.stale && t.term < highest_term_) continue;
    forget(t.task, t.fence);
    if (!t.stale) continue;
    std::erase_if(queue_, [&](const waiting& q) { return names(q.what.what.what, t.task, t.fence); });
    silence(t.task, t.fence, stop);
  }
  return stop;
}

void holdings::drain() {
  draining_ = true;
  for (const auto& q : queue_) finish_unstarted(q.what, run_outcome::returned);
  queue_.clear();
}

finished_tasks holdings::take_results(std::size_t most, steady_time now) {
  finished_tasks out;
  if (!welcomed_) return out;
  // A batch stays well under gRPC's message limit of 4 MB, whatever the outputs (protocol 3.3 #28).
  constexpr std::size_t batch_bytes = 1u << 20;
  std::size_t bytes = 0;
  for (; unsent_ != results_.end() && out.results.size() < most && bytes <= batch_bytes; ++unsent_) {
    auto& r = out.results.emplace_back(unsent_->what);
    bytes += r.result.size() + (r.checkpoint ? r.checkpoint->size() : 0) + 200;
    if (unsent_->begun) r.began_ago = std::max(since(*unsent_->begun, now), duration(1));
  }
  return out;
}

std::int32_t holdings::ahead(steady_time now) {
  const auto span = options_.short_run;
  if (const auto passed = now - counting_since_; passed >= span) {
    ended_before_ = passed < 2 * span ? ended_now_ : 0; // longer ago says nothing of now
    ended_now_ = 0;
    counting_since_ = now;
  }
  return std::min(options_.prefetch, 2 * std::max(ended_before_, ended_now_));
}

std::int32_t holdings::take_credit(steady_time now) {
  if (draining_ || results_.size() >= options_.results_most) return 0;
  const auto room = options_.slots + ahead(now) - static_cast<std::int32_t>(queue_.size() + running_.size()) - granted_;
  if (room <= 0) return 0;
  granted_ += room;
  return room;
}

const assignment* holdings::running_task(std::uint64_t run) const {
  const auto it = running_.find(run);
  return it == running_.end() ? nullptr : &it->second.what;
}

} // namespace taskmaster
