// Submits: bounded, in batches that form by themselves, answered after commit, then announced.
#include "actors/scheduler.hpp"
#include "schema/graph.hpp"
#include "schema/mutant.hpp"

#include <algorithm>
#include <array>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr int replace_tries = 3;

} // namespace


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
  // Rows by themselves, and graphs one after the other: of each what has keys goes through the keys' lane.
  std::array<share, 4> parts;
  for (auto& part : parts) part.of = whole;
  const auto put = [&](share& part, std::size_t i) {
    auto& spec = request.specs[i];
    part.bytes += spec.payload.size();
    part.places.push_back(i);
    if (spec.options.policy == unique_policy::replace) part.replacing[i] = spec;
    auto print = spec.idempotency_key.empty() ? std::string() : fingerprint(spec);
    part.tasks.push_back({new_id(), std::move(spec), std::move(print)});
  };
  std::vector<bool> in_graph(request.specs.size());
  for (const auto& rows : graphs) {
    const bool with_keys = std::any_of(rows.begin(), rows.end(), [&](std::size_t i) { return keyed(request.specs[i]); });
    auto& part = parts[with_keys ? 3 : 2];
    part.graphs.push_back(rows.size());
    for (const auto i : rows) {
      put(part, i);
      in_graph[i] = true;
    }
  }
  for (std::size_t i = 0; i < request.specs.size(); ++i) {
    if (refused[i]) whole->answers[i].refused = std::move(refused[i]); // no door lets this through
    else if (!in_graph[i]) put(parts[keyed(request.specs[i]) ? 1 : 0], i);
  }
  whole->open = 1; // until all parts are on their way
  for (auto& part : parts) {
    if (part.tasks.empty()) continue;
    if (!part.graphs.empty()) resolve(part.tasks);
    ++whole->open;
    tasks_ += part.tasks.size();
    bytes_ += part.bytes;
    auto& l = &part == &parts[1] || &part == &parts[3] ? keyed_ : submits_;
    enqueue(l, std::move(part));
  }
  if (!--whole->open) promise.deliver(submit_answer(std::move(whole->answers)));
  return promise;
}

void scheduler_state::wake() {
  if (std::exchange(awake_, true)) return;
  self_->send(self_, run_atom::value);
}

void scheduler_state::enqueue(line& l, share part) {
  l.rows += part.tasks.size();
  l.bytes += part.bytes;
  l.waiting.push_back(std::move(part));
  wake();
}

void scheduler_state::store() {
  awake_ = false;
  flush(submits_);
  flush(keyed_);
}

void scheduler_state::flush(line& l) {
  for (auto& way : l.ways) {
    if (l.waiting.empty()) return;
    if (way.busy) continue;
    const bool full = l.rows >= config_.batch_rows || l.bytes >= config_.batch_bytes;
    if (&way != &l.ways.front() && !full) return;
    store_batch(l, way);
  }
}

void scheduler_state::store_batch(line& l, line::way& way) {
  std::vector<share> batch;
  std::size_t rows = 0, bytes = 0;
  const bool graph = !l.waiting.front().graphs.empty();
  while (!l.waiting.empty() && rows < config_.batch_rows && bytes < config_.batch_bytes && l.waiting.front().graphs.empty() != graph) {
    rows += l.waiting.front().tasks.size();
    bytes += l.waiting.front().bytes;
    batch.push_back(std::move(l.waiting.front()));
    l.waiting.pop_front();
  }
  std::vector<new_task> tasks;
  std::vector<std::size_t> graphs;
  tasks.reserve(rows);
  std::size_t edges = 0;
  for (auto& s : batch) {
    for (const auto& t : s.tasks) edges += t.after.size();
    std::move(s.tasks.begin(), s.tasks.end(), std::back_inserter(tasks));
    graphs.insert(graphs.end(), s.graphs.begin(), s.graphs.end());
  }
  l.rows -= rows;
  l.bytes -= bytes;
  way.busy = true;
  const auto copy = mutant("unsure_is_stored") ? tasks : std::vector<new_task>();
  // The deadline grows with the bytes: a big batch that is cut off would only be sent again, as big (protocol 3.1 #12).
  const auto limit = std::chrono::milliseconds(5'000 + bytes / 10'000 + (graph ? rows / 2 + edges / 20 : 0));
  ask_store(
      self_, way.lane,
      [tasks = std::move(tasks), graphs = std::move(graphs), limit](task_store& s) {
        return graphs.empty() ? s.insert(tasks, limit) : insert_graphs(s, tasks, graphs, limit);
      },
      [this, &way, batch = std::move(batch), copy](expected<std::vector<inserted>>& answer) mutable {
        if (!answer && mutant("unsure_is_stored")) {
          std::vector<inserted> rows;
          for (const auto& t : copy) rows.emplace_back().task = make_task(t);
          answer = rows;
        }
        way.busy = false;
        wake();
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
      if (const auto r = part.replacing.find(place); a.held && r != part.replacing.end()) {
        whole.answers[place] = std::move(a);
        ++whole.open;
        replace(part.of, place, std::move(r->second), part.tries);
        continue;
      }
      if (!a.refused && !a.repeated) {
        if (waits(a.task)) stored.graphs = true;
        else {
          stored.tasks.push_back(a.task);
          if (a.transaction && (stored.transactions.empty() || stored.transactions.back() != a.transaction)) stored.transactions.push_back(a.transaction);
        }
      }
      whole.answers[place] = std::move(a);
    }
    if (!answer) whole.failure = answer.failure();
    row_done(whole);
  }
  if (mutant("told_in_part") && !stored.tasks.empty()) stored.tasks.pop_back();
  if (!stored.tasks.empty() || stored.graphs) self_->send(coordinator_, announce_atom::value, std::move(stored));
}

void scheduler_state::row_done(submission& whole) {
  if (--whole.open) return;
  if (whole.failure) return void(whole.promise.deliver(submit_answer(*whole.failure)));
  meters_->submitted.Increment(static_cast<double>(whole.answers.size()));
  meters_->submit_seconds.Observe(std::chrono::duration<double>(now() - whole.since).count());
  whole.promise.deliver(submit_answer(std::move(whole.answers)));
}

uuid scheduler_state::new_id() const { return config_.make_id ? config_.make_id() : uuid::make(wall_now()); }

void scheduler_state::replace(const std::shared_ptr<submission>& whole, std::size_t place, task_spec spec, int tries) {
  // Only the leader changes a task, and only one that waits. One that runs keeps its key and is the answer; the key of one that has ended
  // meanwhile, or was handed out with scope while_waiting, is free, and the task is stored like any other.
  const auto id = whole->answers[place].task.id;
  const auto fail = [this, whole, place](error why) {
    why.message = "another task holds the unique key and could not be replaced: " + why.message;
    whole->answers[place].refused = std::move(why);
    row_done(*whole);
  };
  const bool waits_only = spec.options.scope == unique_scope::while_waiting;
  edit_request request{id, edit_of(spec)};
  self_->request(coordinator_, caf::timespan(std::chrono::seconds(8)), edit_atom::value, std::move(request))
      .then(
          [this, whole, place, tries, fail, waits_only, spec = std::move(spec)](const edit_answer& verdict) mutable -> void {
            if (!verdict && verdict.failure().code != ec::not_found) return fail(verdict.failure());
            if (verdict && (*verdict == edit_verdict::changed || (*verdict == edit_verdict::running && (!waits_only || tries >= replace_tries))))
              return row_done(*whole);
            if (tries >= replace_tries) return fail(error{ec::unavailable, "its holder changes all the time, try again"});
            share again{whole, {}, {}, {}, tries + 1, 0, {}};
            again.bytes = spec.payload.size();
            again.places.push_back(place);
            again.replacing[place] = spec;
            tasks_ += 1;
            bytes_ += again.bytes;
            auto print = spec.idempotency_key.empty() ? std::string() : fingerprint(spec);
            again.tasks.push_back({new_id(), std::move(spec), std::move(print)});
            enqueue(keyed_, std::move(again));
          },
          [fail](const caf::error& e) { fail(unreachable(e, "the coordinator")); });
}

} // namespace taskmaster
