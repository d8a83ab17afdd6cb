// Workers: hello and its claims, credit, what they say, their loss (R10, R11, R14).
#include "actors/coordinator.hpp"

#include "schema/mutant.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);

} // namespace

void coordinator_state::order(session_id id, to_worker message, bool close) {
  if (const auto it = sessions_.find(id); it != sessions_.end() && it->second.connected)
    self_->send(it->second.proxy, proxy_order{std::move(message), close});
}

void coordinator_state::hear_hello(session_hello& said) {
  if (!term_ || stopping_) {
    self_->send(said.proxy, proxy_order{refused{"not_leader", not_leading().message, view_->leader()}, true});
    return;
  }
  if (!is_loaded_) {
    early_.push_back(std::move(said));
    return;
  }
  const session_id id = said.proxy.id();
  self_->monitor(said.proxy);
  auto& s = sessions_[id];
  s.proxy = said.proxy;
  s.peer = said.peer;
  s.connected_at = now();
  // The worker's older streams are closed before anything else, so that nothing is assigned on them any more (R10).
  for (auto& [other, old] : sessions_) {
    const auto known = plan_.sessions().find(other);
    if (other == id || known == plan_.sessions().end() || known->second.worker != said.said.name ||
        known->second.incarnation != said.said.incarnation)
      continue;
    order(other, refused{"superseded", "the same worker opened a newer stream", ""}, true);
    old.connected = false;
    arrivals_.erase(other); // were it welcomed after all, it would take what its heir claims for its own
    old.grace_ends = steady() + config_.timing.grace + config_.timing.deadline; // its heir ends it sooner
    plan_.session_lost(other);
  }
  auto silent = said.said;
  silent.credit = 0; // granted with the welcome
  plan_.open_session(id, silent);
  auto& a = arrivals_[id];
  a.said = std::move(said);
  a.drop = a.said.forged;
  decide(id);
}

void coordinator_state::decide(session_id id) {
  auto& a = arrivals_.at(id);
  std::vector<claim> unknown;
  for (const auto& held : a.said.said.held) {
    switch (plan_.claimed(id, held.what, now())) {
    case plan::claim_verdict::keep: a.keep.push_back(held.what); break;
    case plan::claim_verdict::drop: a.drop.push_back(held.what); break;
    case plan::claim_verdict::wait: a.waiting.push_back(held.what); break;
    case plan::claim_verdict::unknown: unknown.push_back(held.what); break;
    }
  }
  a.unknown = unknown.size();
  if (unknown.empty()) return welcome_if_decided(id);
  std::vector<uuid> ids;
  for (const auto& c : unknown) ids.push_back(c.task);
  ask_store(
      self_, reads_, [ids](task_store& s) { return s.load(ids, limit); },
      [this, id, unknown, epoch = epoch_](expected<std::vector<task>>& rows) {
        const auto it = arrivals_.find(id);
        if (epoch != epoch_ || it == arrivals_.end()) return;
        if (!rows) { // it will come back and ask again
          order(id, refused{"unavailable", "the database does not answer: " + rows.failure().message, ""}, true);
          return;
        }
        std::unordered_map<uuid, const task*> found;
        for (const auto& row : *rows) found[row.id] = &row;
        auto& a = it->second;
        for (const auto& c : unknown) {
          const auto row = found.find(c.task);
          const auto verdict = plan_.claimed_row(id, c, row == found.end() ? nullptr : row->second, now());
          auto& list = verdict == plan::claim_verdict::keep ? a.keep : verdict == plan::claim_verdict::wait ? a.waiting : a.drop;
          list.push_back(c);
        }
        a.unknown = 0;
        welcome_if_decided(id);
      });
}

void coordinator_state::welcome_if_decided(session_id id) {
  const auto it = arrivals_.find(id);
  if (it == arrivals_.end() || it->second.unknown || !it->second.waiting.empty()) return;
  // Whoever takes over has to know who may hold tasks: committed before the first assign (protocol 3.2 #19).
  const auto& h = it->second.said.said;
  awaited_.erase({h.name, h.incarnation});
  ask_store(
      self_, writes_,
      [term = term_, row = session_row{h.name, h.incarnation, term_}](task_store& s) { return s.open_session(term, row, limit); },
      [this, id, epoch = epoch_](expected<done>& opened) {
        if (epoch != epoch_ || !arrivals_.contains(id)) return;
        if (!opened) {
          order(id, refused{"unavailable", "the session could not be stored: " + opened.failure().message, ""}, true);
          if (opened.failure().code == ec::deposed) step_down("another coordinator has taken over");
          return;
        }
        say_welcome(id);
      });
}

void coordinator_state::say_welcome(session_id id) {
  auto a = std::move(arrivals_.at(id));
  arrivals_.erase(id);
  const auto& h = a.said.said;
  std::vector<session_id> older;
  for (const auto& [other, known] : plan_.sessions())
    if (other != id && known.worker == h.name && known.incarnation == h.incarnation) older.push_back(other);
  for (const auto other : older) end_session(other, id);
  spdlog::info("worker '{}' ({}) has session {}: {} slots, {} tasks kept, {} dropped", h.name, a.said.peer, id, h.slots, a.keep.size(),
               a.drop.size());
  welcome w;
  w.term = term_;
  w.session = std::to_string(id);
  w.heartbeat_interval = config_.timing.heartbeat_interval;
  w.lease = config_.timing.lease;
  w.keep = std::move(a.keep);
  w.drop = std::move(a.drop);
  w.reads_joined = true;
  order(id, std::move(w));
  plan_.credit(id, h.credit);
  wake();
}

void coordinator_state::hear_worker(session_said& said) {
  const auto id = said.session;
  const auto known = sessions_.find(id);
  if (known == sessions_.end() || !known->second.connected || arrivals_.contains(id)) return;
  if (auto* more = std::get_if<more_credit>(&said.message)) {
    plan_.credit(id, more->more);
  } else if (auto* started = std::get_if<started_tasks>(&said.message)) {
    for (const auto& t : started->tasks) plan_.started(id, t.task, t.fence, now() - t.ago);
  } else if (auto* results = std::get_if<finished_tasks>(&said.message)) {
    hear_results(id, *results);
    if (results->credit > 0) plan_.credit(id, results->credit);
  } else if (auto* beat = std::get_if<heartbeat>(&said.message)) {
    for (const auto& p : beat->progress) plan_.progress(id, p, now());
  } else if (std::get_if<draining>(&said.message)) {
    plan_.drain(id);
  }
  wake();
}

void coordinator_state::hear_results(session_id id, finished_tasks& said) {
  acknowledged stale;
  std::vector<claim> unknown;
  for (const auto& r : said.results) {
    if (r.began_ago > duration(0)) plan_.started(id, r.what.what.task, r.what.what.fence, now() - r.began_ago);
    switch (plan_.finished(id, r)) {
    case plan::result_verdict::settling:
      if (mutant("ack_before_commit")) order(id, acknowledged{{{r.what.what.task, r.what.what.fence, false, term_}}});
      break;
    case plan::result_verdict::unknown: unknown.push_back(r.what.what); break;
    case plan::result_verdict::stale:
      if (r.outcome != run_outcome::returned) meters_->stale.Increment();
      stale.tasks.push_back({r.what.what.task, r.what.what.fence, !mutant("stale_said_recorded"), term_});
      break;
    }
  }
  if (!stale.tasks.empty()) order(id, std::move(stale));
  if (!unknown.empty()) look_up(id, std::move(unknown));
}

void coordinator_state::look_up(session_id id, std::vector<claim> unknown) {
  // Perhaps recorded already and the acknowledgement got lost: history says so, by the fence; unless what it has is the run's loss.
  ask_store(
      self_, reads_,
      [unknown](task_store& s) -> expected<std::vector<bool>> {
        std::vector<bool> mine;
        for (const auto& c : unknown) {
          const auto found = s.find(c.task, limit);
          if (!found) return found.failure();
          mine.push_back(*found && finished((*found)->state) && (*found)->fence == c.fence && (*found)->reason != "lost" && (*found)->reason != "quarantined");
        }
        return mine;
      },
      [this, id, unknown, epoch = epoch_](expected<std::vector<bool>>& mine) {
        if (epoch != epoch_ || !mine) return; // not acknowledged: the worker sends it again on its next stream
        acknowledged out;
        for (std::size_t i = 0; i < unknown.size(); ++i) {
          if (!(*mine)[i]) meters_->stale.Increment();
          out.tasks.push_back({unknown[i].task, unknown[i].fence, !(*mine)[i], term_});
        }
        order(id, std::move(out));
      });
}

void coordinator_state::proxy_down(const caf::down_msg& down) {
  for (auto& [id, s] : sessions_) {
    if (!s.connected || s.proxy.address() != down.source) continue;
    s.connected = false;
    s.grace_ends = steady() + config_.timing.grace;
    arrivals_.erase(id);
    plan_.session_lost(id);
    const auto known = plan_.sessions().find(id);
    if (known != plan_.sessions().end() && known->second.tasks.empty()) end_session(id, 0); // nothing to wait for
    return;
  }
}

void coordinator_state::end_session(session_id id, session_id heir) {
  const auto known = plan_.sessions().find(id);
  if (known != plan_.sessions().end()) {
    const auto worker = known->second.worker, incarnation = known->second.incarnation;
    const auto lost = known->second.tasks.size();
    plan_.close_session(id, heir, now());
    if (!heir) {
      if (lost) {
        spdlog::warn("worker '{}' did not come back, {} tasks it had go elsewhere", worker, lost);
        meters_->lost.Increment(static_cast<double>(lost));
      }
      ask_store(
          self_, writes_,
          [term = term_, worker, incarnation](task_store& s) { return s.close_session(term, worker, incarnation, limit); },
          [](expected<done>&) {});
    }
  }
  sessions_.erase(id);
  arrivals_.erase(id);
  wake();
}

workers_answer coordinator_state::list_workers() const {
  if (!leading()) return not_leading(); // an empty list would be taken for the truth
  std::vector<worker_info> out;
  for (const auto& [id, s] : sessions_) {
    const auto known = plan_.sessions().find(id);
    if (known == plan_.sessions().end()) continue;
    const auto& p = known->second;
    worker_info w;
    w.id = std::to_string(id);
    w.name = p.worker;
    w.incarnation = p.incarnation;
    w.peer = s.peer;
    w.state = !s.connected ? "lost" : p.draining ? "draining" : "connected";
    w.queues = p.queues;
    w.kinds = p.kinds;
    w.slots = p.slots;
    w.credit = p.credit;
    w.tasks = plan_.in_hands(id);
    w.connected_at = s.connected_at;
    out.push_back(std::move(w));
  }
  return out;
}

expected<done> coordinator_state::drain(const std::string& id) {
  if (!leading()) return not_leading();
  for (const auto& [number, s] : sessions_) {
    if (std::to_string(number) != id || !s.connected) continue;
    plan_.drain(number);
    order(number, drain_worker{"drained by request"});
    return done{};
  }
  return error{ec::not_found, "no worker has session '" + id + "', GET /v1/workers lists them"};
}

} // namespace taskmaster
