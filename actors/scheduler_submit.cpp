// Submits: bounded, in batches that form by themselves, answered after commit, then announced.
#include "actors/scheduler.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace taskmaster {

timestamp scheduler_state::wall_now() const {
  // Only for the ids' millisecond: times that decide are the database's.
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

caf::result<submit_answer> scheduler_state::submit(submit_request& request) {
  auto promise = self_->make_response_promise<submit_answer>();
  std::size_t bytes = 0;
  for (const auto& spec : request.specs) bytes += spec.payload.size();
  if (tasks_ + request.specs.size() > config_.tasks_most || bytes_ + bytes > config_.bytes_most) {
    meters_->submit_refused.Increment();
    error full(ec::exhausted, "too much is waiting to be stored (" + std::to_string(tasks_) + " tasks), try again in a second");
    full.retry_after = std::chrono::seconds(1);
    promise.deliver(submit_answer(full));
    return promise;
  }
  auto whole = std::make_shared<submission>();
  whole->promise = promise;
  whole->answers.resize(request.specs.size());
  whole->since = now();
  share plain{whole, {}, {}, 0}, keyed{whole, {}, {}, 0};
  for (std::size_t i = 0; i < request.specs.size(); ++i) {
    auto& spec = request.specs[i];
    auto& part = spec.unique_key.empty() && spec.idempotency_key.empty() ? plain : keyed;
    part.bytes += spec.payload.size();
    part.places.push_back(i);
    auto print = spec.idempotency_key.empty() ? std::string() : fingerprint(spec);
    part.tasks.push_back({uuid::make(wall_now()), std::move(spec), std::move(print)});
  }
  for (auto* part : {&plain, &keyed}) {
    if (part->tasks.empty()) continue;
    ++whole->open;
    tasks_ += part->tasks.size();
    bytes_ += part->bytes;
    auto& l = part == &plain ? submits_ : keyed_;
    l.waiting.push_back(std::move(*part));
    flush(l);
  }
  if (!whole->open) promise.deliver(submit_answer(std::vector<inserted>{}));
  return promise;
}

void scheduler_state::flush(line& l) {
  if (l.busy || l.waiting.empty()) return;
  std::vector<share> batch;
  std::size_t rows = 0, bytes = 0;
  while (!l.waiting.empty() && rows < config_.batch_rows && bytes < config_.batch_bytes) {
    rows += l.waiting.front().tasks.size();
    bytes += l.waiting.front().bytes;
    batch.push_back(std::move(l.waiting.front()));
    l.waiting.pop_front();
  }
  std::vector<new_task> tasks;
  tasks.reserve(rows);
  for (auto& s : batch) std::move(s.tasks.begin(), s.tasks.end(), std::back_inserter(tasks));
  l.busy = true;
  // The deadline grows with the bytes: a big batch that is cut off would only be sent again, as big (protocol 3.1 #12).
  const auto limit = std::chrono::milliseconds(5'000 + bytes / 10'000);
  ask_store(
      self_, l.lane, [tasks = std::move(tasks), limit](task_store& s) { return s.insert(tasks, limit); },
      [this, &l, batch = std::move(batch)](expected<std::vector<inserted>>& answer) mutable {
        l.busy = false;
        flush(l);
        committed(batch, answer);
      });
}

void scheduler_state::committed(std::vector<share>& batch, expected<std::vector<inserted>>& answer) {
  if (!answer) spdlog::warn("a batch of submits was not stored: {}", to_string(answer.failure()));
  announcement stored;
  std::size_t row = 0;
  for (auto& part : batch) {
    auto& whole = *part.of;
    tasks_ -= part.places.size();
    bytes_ -= part.bytes;
    for (const auto place : part.places) {
      if (!answer) break;
      auto& a = (*answer)[row++];
      if (!a.refused && !a.repeated) stored.tasks.push_back(a.task);
      whole.answers[place] = std::move(a);
    }
    if (!answer) whole.failure = answer.failure();
    if (--whole.open) continue;
    if (whole.failure) {
      whole.promise.deliver(submit_answer(*whole.failure));
      continue;
    }
    meters_->submitted.Increment(static_cast<double>(whole.answers.size()));
    meters_->submit_seconds.Observe(std::chrono::duration<double>(now() - whole.since).count());
    whole.promise.deliver(submit_answer(std::move(whole.answers)));
  }
  if (!stored.tasks.empty()) self_->send(coordinator_, announce_atom::value, std::move(stored));
}

} // namespace taskmaster
