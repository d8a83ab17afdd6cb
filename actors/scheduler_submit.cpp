// Submits: bounded, in batches that form by themselves, answered after commit, then announced.
#include "actors/scheduler.hpp"
#include "schema/graph.hpp"

#include "schema/mutant.hpp"

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
  const auto keyed = [](const task_spec& spec) { return !spec.unique_key.empty() || !spec.idempotency_key.empty(); };
  std::vector<std::optional<error>> refused(request.specs.size());
  const auto graphs = arrange(request.specs, refused);
  // Shares of rows that are independent, and one for each graph: of graphs with a key the key's lane is theirs.
  std::deque<std::pair<share, bool>> parts(2, {share{whole, {}, {}, 0, false}, false});
  parts[1].second = true;
  std::vector<std::size_t> part_of(request.specs.size(), 0);
  for (std::size_t i = 0; i < request.specs.size(); ++i) part_of[i] = keyed(request.specs[i]);
  for (const auto& rows : graphs) {
    const bool with_keys = std::any_of(rows.begin(), rows.end(), [&](std::size_t i) { return keyed(request.specs[i]); });
    for (const auto i : rows) part_of[i] = parts.size();
    parts.emplace_back(share{whole, {}, {}, 0, true}, with_keys);
  }
  for (std::size_t i = 0; i < request.specs.size(); ++i) {
    auto& spec = request.specs[i];
    if (refused[i]) { // no door lets this through
      whole->answers[i].refused = std::move(refused[i]);
      continue;
    }
    auto& part = parts[part_of[i]].first;
    part.bytes += spec.payload.size();
    part.places.push_back(i);
    auto print = spec.idempotency_key.empty() ? std::string() : fingerprint(spec);
    part.tasks.push_back({config_.make_id ? config_.make_id() : uuid::make(wall_now()), std::move(spec), std::move(print)});
  }
  whole->open = 1; // until all parts are on their way
  for (auto& [part, with_keys] : parts) {
    if (part.tasks.empty()) continue;
    if (part.graph) resolve(part.tasks);
    ++whole->open;
    tasks_ += part.tasks.size();
    bytes_ += part.bytes;
    auto& l = with_keys ? keyed_ : submits_;
    l.waiting.push_back(std::move(part));
    flush(l);
  }
  if (!--whole->open) promise.deliver(submit_answer(std::move(whole->answers)));
  return promise;
}

void scheduler_state::flush(line& l) {
  if (l.busy || l.waiting.empty()) return;
  std::vector<share> batch;
  std::size_t rows = 0, bytes = 0;
  const bool graph = l.waiting.front().graph;
  while (!l.waiting.empty() && rows < config_.batch_rows && bytes < config_.batch_bytes && l.waiting.front().graph == graph &&
         (!graph || batch.empty())) {
    rows += l.waiting.front().tasks.size();
    bytes += l.waiting.front().bytes;
    batch.push_back(std::move(l.waiting.front()));
    l.waiting.pop_front();
  }
  std::vector<new_task> tasks;
  tasks.reserve(rows);
  for (auto& s : batch) std::move(s.tasks.begin(), s.tasks.end(), std::back_inserter(tasks));
  l.busy = true;
  const auto copy = mutant("unsure_is_stored") ? tasks : std::vector<new_task>();
  // The deadline grows with the bytes: a big batch that is cut off would only be sent again, as big (protocol 3.1 #12).
  std::size_t edges = 0;
  for (const auto& t : tasks) edges += t.after.size();
  const auto limit = std::chrono::milliseconds(5'000 + bytes / 10'000 + (graph ? rows / 2 + edges / 20 : 0));
  ask_store(
      self_, l.lane, [tasks = std::move(tasks), limit, graph](task_store& s) { return graph ? s.insert_graph(tasks, limit) : s.insert(tasks, limit); },
      [this, &l, batch = std::move(batch)](expected<std::vector<inserted>>& answer) mutable {
      self_, l.lane, [tasks = std::move(tasks), limit](task_store& s) { return s.insert(tasks, limit); },
      [this, &l, batch = std::move(batch), copy](expected<std::vector<inserted>>& answer) mutable {
        if (!answer && mutant("unsure_is_stored")) {
          std::vector<inserted> rows;
          for (const auto& t : copy) rows.push_back({make_task(t), false, {}});
          answer = rows;
        }
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
      if (!a.refused && !a.repeated) {
        if (waits(a.task)) stored.graphs = true;
        else stored.tasks.push_back(a.task);
      }
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
  if (!stored.tasks.empty() || stored.graphs) self_->send(coordinator_, announce_atom::value, std::move(stored));
}

} // namespace taskmaster
