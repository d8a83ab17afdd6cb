#include "schema/memory_database.hpp"

#include "schema/graph.hpp"
#include "schema/mutant.hpp"
#include "schema/webhook.hpp"

#include <algorithm>

namespace taskmaster {

namespace {

constexpr auto idempotency_life = std::chrono::hours(24);

bucket_key bucket_of(const task& t) { return {t.queue, t.kind, t.priority}; }

/// What the columns' types and CHECK constraints refuse.
std::optional<error> unstorable(const task& t, const std::map<std::string, std::string>& labels,
                                const std::string& idempotency_key) {
  auto bad = [](std::string_view column) {
    return error{ec::invalid_argument,
                 "the database does not take this task: its " + std::string(column) + " is out of bounds"};
  };
  if (!valid_name(t.kind) || !valid_name(t.queue)) return bad(valid_name(t.kind) ? "queue" : "kind");
  if (t.kind == webhook_kind) return bad("kind"); // it tells of a task, which no submit can
  if (t.priority < 0 || t.priority > limits::priority) return bad("priority");
  if (t.max_attempts < 1 || t.max_attempts > limits::attempts) return bad("max_attempts");
  if (t.payload->size() > limits::payload_bytes) return bad("payload");
  for (const auto* key : {&t.unique_key, &t.concurrency_key, &idempotency_key})
    if (!storable_text(*key) || key->size() > limits::key) return bad("key");
  if (labels.size() > limits::labels) return bad("labels");
  for (const auto& [key, value] : labels)
    if (!storable_text(key) || !storable_text(value)) return bad("labels");
  return std::nullopt;
}

bool storable(const task_change& c) {
  return storable_text(c.worker) && storable_text(c.reason) &&
         (!c.failure || (storable_text(c.failure->code) && storable_text(c.failure->message)));
}

error key_is_held(const std::string& key, const uuid& by) {
  return {ec::conflict, "task " + by.str() + " holds this unique key", {{"/unique/key", "'" + key + "' is held by task " + by.str()}}};
}

std::string outcome_of(task_state state, const std::string& reason) {
  if (state == task_state::failed && (reason == "lost" || reason == "quarantined")) return "lost";
  return std::string(to_string(state));
}

} // namespace

std::optional<attempt_record> last_run(const task_record& r) {
  if (r.fence.none() && !r.started_at) return std::nullopt;
  return attempt_record{r.task.attempt, r.task.losses, r.fence,       r.worker,
                        r.picked_at,    r.started_at,  r.finished_at, outcome_of(r.state, r.reason),
                        r.reason,       r.error};
}

void memory_database::put(row r) {
  r.xid = next_xid++;
  windows[bucket_of(r.task)].insert({r.task.run_at, r.task.id});
  by_xid.insert({r.xid, r.task.id});
  tasks.insert_or_assign(r.task.id, std::move(r));
}

memory_database::row memory_database::take(std::map<uuid, row>::iterator at) {
  row r = std::move(at->second);
  tasks.erase(at);
  auto window = windows.find(bucket_of(r.task));
  window->second.erase({r.task.run_at, r.task.id});
  if (window->second.empty()) windows.erase(window);
  by_xid.erase({r.xid, r.task.id});
  return r;
}

inserted memory_database::insert(const new_task& wanted) {
  inserted answer;
  answer.task = make_task(wanted);
  auto& t = answer.task;
  answer.refused = unstorable(t, wanted.spec.labels, wanted.spec.idempotency_key);
  if (answer.refused) return answer;
  auto time = now();
  const auto& key = wanted.spec.idempotency_key;
  if (!key.empty()) {
    auto known = idempotency_keys_.find(key);
    if (known != idempotency_keys_.end() && known->second.expires_at > time) {
      if (known->second.fingerprint != wanted.fingerprint)
        answer.refused = error{ec::unprocessable,
                               "this idempotency key was used with another body",
                               {{"/idempotency_key",
                                 "was used with another body; take a new key or send the first body again"}}};
      else {
        answer.repeated = true;
        t.id = known->second.task;
      }
      return answer;
    }
  }
  const auto& options = options_of(t.options);
  if (auto holder = unique_keys_.find(t.unique_key); !t.unique_key.empty() && holder != unique_keys_.end()) {
    if (!holder->second.expires_at || *holder->second.expires_at > time) {
      answer.repeated = answer.held = true;
      t.id = holder->second.task;
      if (options.policy == unique_policy::refuse) answer.refused = key_is_held(t.unique_key, t.id);
      return answer;
    }
    unique_keys_.erase(holder);
  }
  if (tasks.contains(t.id)) {
    answer.refused = error{ec::conflict, "a task with the id " + t.id.str() + " exists"};
    return answer;
  }
  t.created_at = time;
  t.run_at = wanted.spec.run_at ? *wanted.spec.run_at : time + wanted.spec.delay.value_or(duration{0});
  if (!key.empty())
    idempotency_keys_.insert_or_assign(key,
                                       idempotency_entry{t.id, wanted.fingerprint, time + idempotency_life});
  if (!t.unique_key.empty())
    unique_keys_[t.unique_key] = {t.id, options.scope == unique_scope::for_period ? std::optional(time + options.unique_period) : std::nullopt};
  queues.insert(t.queue);
  put({t, wanted.spec.labels});
  answer.transaction = tasks.at(t.id).xid;
  return answer;
}

void memory_database::note_run(const task& t, const task_change& what, std::string outcome) {
  attempts[t.id].push_back({t.attempt, t.losses, what.fence, what.worker, what.picked_at, what.started_at,
                            now(), std::move(outcome), what.reason, what.failure});
}

change_answer memory_database::change(const task_change& what) {
  if (!storable(what)) return {change_verdict::refused, {}};
  auto at = tasks.find(what.id);
  if (at == tasks.end() || (version_of(at->second.task) != what.version && !mutant("no_version_guard"))) {
    // R5: what is not there any more may be this very outcome, sent again.
    auto old = history.find(what.id);
    bool same = what.what == task_change::type::finish && old != history.end() &&
                old->second.fence == what.fence && (!what.fence.none() || old->second.state == what.state);
    return {same ? change_verdict::already : change_verdict::stale, {}};
  }
  if (what.what == task_change::type::free_key) {
    free_key(at->second.task);
    return {change_verdict::applied, {}};
  }
  if (what.what == task_change::type::mark) {
    auto& marked = at->second.task.marked;
    if (!marked.none()) return {marked == what.fence ? change_verdict::already : change_verdict::stale, {}};
    marked = what.fence;
    return {change_verdict::applied, {}};
  }
  auto r = take(at);
  auto& t = r.task;
  switch (what.what) {
  case task_change::type::finish: return finish(std::move(r), what);
  case task_change::type::retry:
    note_run(t, what, what.burned ? "failed" : "deferred");
    t.attempt += 1;
    t.failures += what.burned ? 1 : 0;
    t.deferrals = what.burned ? 0 : t.deferrals + 1;
    t.run_at = now() + what.wait;
    t.reason = what.reason;
    t.marked = {};
    break;
  default: // lose; a mark stays, so that nothing marks and runs it again
    note_run(t, what, "lost");
    t.losses += 1;
    t.reason = what.reason.empty() ? "lost" : what.reason;
    break;
  }
  change_answer answer{change_verdict::applied, t.run_at};
  put(std::move(r));
  return answer;
}

void memory_database::free_key(const task& t) {
  const auto at = unique_keys_.find(t.unique_key);
  if (at != unique_keys_.end() && at->second.task == t.id && !at->second.expires_at) unique_keys_.erase(at);
}

task memory_database::planned(const row& r) const {
  auto t = r.task;
  if (const auto at = checkpoints.find(t.id); at != checkpoints.end()) t.checkpoint = at->second;
  return t;
}

void memory_database::keep(const kept_checkpoint& c) {
  if (!c.json) checkpoints.erase(c.id);
  else if (const auto at = tasks.find(c.id); at != tasks.end() && version_of(at->second.task) == c.version) checkpoints[c.id] = c.json;
}

std::optional<task> memory_database::edit(const task_edition& what) {
  const auto at = tasks.find(what.row.id);
  if (at == tasks.end()) return std::nullopt;
  if (waits(at->second.task) != waits(what.row)) return std::nullopt; // released since it was read: its run_at is not that any more
  const auto next = task_version{what.of.attempt + 1, what.of.losses};
  if (version_of(at->second.task) == next) return planned(at->second); // this very edit, asked again
  if (version_of(at->second.task) != what.of) return std::nullopt;
  auto r = take(at);
  r.task = what.row;
  r.task.checkpoint.reset();
  r.task.attempt = next.attempt;
  if (what.wait) r.task.run_at = now() + *what.wait;
  if (what.labels) r.labels = *what.labels;
  queues.insert(r.task.queue);
  put(r);
  return planned(r);
}

change_answer memory_database::finish(row r, const task_change& what) {
  if (r.followed) follow_ups_.emplace(next_note_++, what.id);
  free_key(r.task);
  if (what.state != task_state::succeeded && (!what.fence.none() || what.started_at))
    note_run(r.task, what, outcome_of(what.state, what.reason));
  task_record done;
  done.task = std::move(r.task);
  done.task.reason = what.reason;
  done.labels = std::move(r.labels);
  done.state = what.state;
  done.reason = what.reason;
  done.picked_at = what.picked_at;
  done.started_at = what.started_at;
  done.finished_at = now();
  done.worker = what.worker;
  done.fence = what.fence;
  done.result = what.result;
  done.error = what.failure;
  if (!options_of(done.task.options).webhook.empty()) {
    auto webhook = webhook_task(done, uuid::make(now()));
    webhook.created_at = webhook.run_at = now();
    queues.insert(webhook.queue);
    put({std::move(webhook), webhook_labels(done)});
  }
  history.insert_or_assign(what.id, std::move(done));
  return {change_verdict::applied, {}};
}

expected<task> memory_database::reopen(const uuid& id, duration wait) {
  if (tasks.contains(id))
    return error{ec::conflict,
                 "task " + id.str() + " is not finished; only a finished task can be run again"};
  auto at = history.find(id);
  if (at == history.end()) return error{ec::not_found, "there is no task " + id.str()};
  auto& old = at->second;
  const bool holds = !old.task.unique_key.empty() && options_of(old.task.options).scope != unique_scope::for_period;
  if (holds && !unique_keys_.emplace(old.task.unique_key, unique_holder{id, {}}).second)
    return error{ec::conflict, "another unfinished task holds the unique_key of " + id.str() +
                                   "; cancel it or wait for its end"};
  if (auto run = last_run(old)) {
    auto& runs = attempts[id];
    bool listed = std::any_of(runs.begin(), runs.end(), [&](const auto& a) {
      return a.attempt == run->attempt && a.losses == run->losses;
    });
    if (!listed) runs.push_back(*run);
  }
  row r{std::move(old.task), std::move(old.labels)};
  history.erase(at);
  auto& t = r.task;
  t.attempt += 1;
  t.failures = t.losses = t.deferrals = 0;
  t.run_at = now() + wait;
  t.marked = {};
  t.reason.clear();
  r.followed = false;
  if (t.expires_at && *t.expires_at <= t.run_at)
    t.expires_at.reset(); // else it would expire before it could start
  put(r);
  return planned(r);
}

std::int64_t memory_database::forget(duration retention) {
  auto time = now();
  auto old = [&](const std::optional<timestamp>& t) { return t && *t < time - retention; };
  std::erase_if(history, [&](const auto& entry) { return old(entry.second.finished_at); });
  for (auto& [id, runs] : attempts)
    std::erase_if(runs, [&](const auto& run) { return old(run.finished_at); });
  std::erase_if(attempts, [](const auto& entry) { return entry.second.empty(); });
  std::erase_if(checkpoints, [&](const auto& entry) { return !tasks.contains(entry.first) && !history.contains(entry.first); });
  return static_cast<std::int64_t>(
      std::erase_if(idempotency_keys_, [&](const auto& entry) { return entry.second.expires_at <= time; }));
}

std::optional<error> memory_database::deposed(std::uint64_t term) const {
  if (leader && leader->term == term) return std::nullopt;
  return error{ec::deposed, "term " + std::to_string(term) + " is over; another coordinator leads"};
}

task_record memory_database::show(const row& r) const {
  task_record shown;
  shown.task = r.task;
  shown.labels = r.labels;
  shown.state = r.task.run_at <= now() ? task_state::ready : task_state::scheduled;
  shown.reason = r.task.reason;
  shown.fence = r.task.marked;
  shown.waits_for = r.waits_for;
  return shown;
}

std::optional<task_record> memory_database::find(const uuid& id) const {
  if (auto at = tasks.find(id); at != tasks.end()) {
    auto shown = show(at->second);
    shown.task = planned(at->second); // with its checkpoint, which lists leave out
    return shown;
  }
  if (auto at = history.find(id); at != history.end()) return at->second;
  return std::nullopt;
}

} // namespace taskmaster
