// Questions: what the database says, with what the leader knows of running tasks laid over it. A leader that does not answer costs the
// overlay, never the answer.
#include "actors/scheduler.hpp"

#include <algorithm>
#include <unordered_map>

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
constexpr std::size_t edges_shown = 1'000; // of one task
constexpr auto live_limit = std::chrono::milliseconds(1'000);

error too_many_reads() {
  error e(ec::exhausted, "too many questions are under way, try again in a second");
  e.retry_after = std::chrono::seconds(1);
  return e;
}

error no_such_task(const uuid& id) { return {ec::not_found, "there is no task " + id.str()}; }

void lay_over(task_record& r, const live_task& l) {
  if (finished(r.state) || r.task.attempt > l.attempt) return;
  r.state = task_state::running;
  r.reason.clear();
  r.worker = l.worker;
  r.fence = l.fence;
  r.picked_at = l.picked_at;
  r.started_at = l.started_at;
  r.progress = l.progress;
}

} // namespace

error unreachable(const caf::error& e, const std::string& what) {
  error out(ec::unavailable, what + (e == caf::sec::request_timeout ? " did not answer in time" : " is not there"));
  out.retry_after = std::chrono::seconds(1);
  return out;
}

template <class Call, class Then>
void scheduler_state::read(Call call, Then then) {
  using answer = std::invoke_result_t<Call, task_store&>;
  if (reading_ >= config_.reads_most) {
    answer full(too_many_reads());
    return then(full);
  }
  ++reading_;
  ask_store(self_, reads_, std::move(call), [this, then = std::move(then)](answer& a) mutable {
    --reading_;
    then(a);
  });
}

void scheduler_state::ask_live(live_request request, std::function<void(live_answer)> then) {
  self_->request(coordinator_, caf::timespan(live_limit), live_atom::value, std::move(request))
      .then([then](const live_answer& a) { then(a); },
            [then](const caf::error& e) { then(live_answer(unreachable(e, "the coordinator"))); });
}

void scheduler_state::overlay(std::vector<task_record> records, std::function<void(std::vector<task_record>)> then) {
  live_request request;
  for (const auto& r : records)
    if (!finished(r.state)) request.ids.push_back(r.task.id);
  if (request.ids.empty()) return then(std::move(records));
  ask_live(std::move(request), [records = std::move(records), then = std::move(then)](live_answer live) mutable {
    if (live) {
      std::unordered_map<uuid, const live_task*> by_id;
      for (const auto& l : *live) by_id[l.id] = &l;
      for (auto& r : records)
        if (const auto it = by_id.find(r.task.id); it != by_id.end()) lay_over(r, *it->second);
    }
    then(std::move(records));
  });
}

void scheduler_state::look(const uuid& id, std::function<void(find_answer)> then) {
  read(
       [id](task_store& s) {
         auto found = s.find(id, limit);
         if (!found || !*found || !(*found)->waits_for) return found;
         if (auto edges = s.awaits(id, edges_shown, limit)) (*found)->after = std::move(*edges);
         return found;
       },
       [this, id, then = std::move(then)](expected<std::optional<task_record>>& found) {
         if (!found) return then(find_answer(found.failure()));
         if (!*found) return then(find_answer(no_such_task(id)));
         overlay({std::move(**found)}, [then](std::vector<task_record> r) { then(find_answer(std::move(r.front()))); });
       });
}

caf::result<find_answer> scheduler_state::find(const uuid& id) {
  auto promise = self_->make_response_promise<find_answer>();
  look(id, [promise](find_answer a) mutable { promise.deliver(std::move(a)); });
  return promise;
}

caf::result<list_answer> scheduler_state::list(const task_filter& filter) {
  auto promise = self_->make_response_promise<list_answer>();
  const auto page = [this, promise](task_filter f) {
    const auto wanted = f.state;
    // Who runs is not in the database: those are listed by id, and taken out of `ready`.
    if (wanted == task_state::running) f.state.reset();
    read([f](task_store& s) { return s.list(f, limit); },
         [this, promise, wanted](expected<task_page>& found) mutable {
           if (!found) return void(promise.deliver(list_answer(found.failure())));
           overlay(std::move(found->tasks), [promise, wanted, cursor = found->next_cursor](std::vector<task_record> r) mutable {
             if (wanted) std::erase_if(r, [&](const task_record& t) { return t.state != *wanted; });
             promise.deliver(list_answer(task_page{std::move(r), cursor}));
           });
         });
  };
  if (filter.state != task_state::running) {
    page(filter);
    return promise;
  }
  ask_live({}, [filter, page, promise](live_answer live) mutable {
    if (!live) return void(promise.deliver(list_answer(live.failure())));
    auto f = filter;
    for (const auto& l : *live) f.ids.push_back(l.id);
    if (f.ids.empty()) return void(promise.deliver(list_answer(task_page{})));
    page(std::move(f));
  });
  return promise;
}

caf::result<attempts_answer> scheduler_state::attempts(const uuid& id) {
  auto promise = self_->make_response_promise<attempts_answer>();
  look(id, [this, id, promise](find_answer record) mutable {
    if (!record) return void(promise.deliver(attempts_answer(record.failure())));
    read([id](task_store& s) { return s.attempts(id, limit); },
         [promise, r = std::move(*record)](attempts_answer& a) mutable {
           if (a && r.state == task_state::running) {
             attempt_record now;
             now.attempt = r.task.attempt;
             now.losses = r.task.losses;
             now.fence = r.fence;
             now.worker = r.worker;
             now.picked_at = r.picked_at;
             now.started_at = r.started_at;
             now.outcome = "running";
             a->push_back(std::move(now));
           }
           promise.deliver(std::move(a));
         });
  });
  return promise;
}

void scheduler_state::all_queues(std::function<void(queues_answer)> then) {
  struct found {
    std::vector<queue_summary> counts;
    std::vector<queue_settings> settings;
  };
  read(
      [](task_store& s) -> expected<found> {
        auto counts = s.queues(limit);
        if (!counts) return counts.failure();
        auto settings = s.settings(limit);
        if (!settings) return settings.failure();
        return found{std::move(*counts), std::move(*settings)};
      },
      [this, then = std::move(then)](expected<found>& f) {
        if (!f) return then(queues_answer(f.failure()));
        ask_live({}, [then, f = std::move(*f)](live_answer live) mutable {
          std::unordered_map<std::string, std::int64_t> running;
          if (live)
            for (const auto& l : *live) ++running[l.queue];
          std::unordered_map<std::string, queue_settings> settings;
          for (auto& s : f.settings) settings.emplace(s.name, s);
          std::vector<queue_info> out;
          for (auto& c : f.counts) {
            const auto n = running[c.name];
            if (!c.capped) c.ready = std::max<std::int64_t>(0, c.ready - n); // the database counts what runs as ready
            auto& set = settings[c.name];
            set.name = c.name;
            out.push_back({std::move(c), n, std::move(set)});
          }
          then(queues_answer(std::move(out)));
        });
      });
}

caf::result<queues_answer> scheduler_state::queues() {
  auto promise = self_->make_response_promise<queues_answer>();
  all_queues([promise](queues_answer a) mutable { promise.deliver(std::move(a)); });
  return promise;
}

caf::result<health> scheduler_state::check() {
  auto promise = self_->make_response_promise<health>();
  read([](task_store& s) { return s.clock(live_limit); },
       [this, promise](expected<timestamp>& clock) mutable {
         health h;
         h.database = clock.has_value();
         if (!clock) h.detail = clock.failure().message;
         ask_live({{uuid{}}}, [promise, h](live_answer live) mutable {
           h.coordinator = live.has_value();
           if (!live) h.detail += (h.detail.empty() ? "" : "; ") + live.failure().message;
           promise.deliver(h);
         });
       });
  return promise;
}

} // namespace taskmaster
