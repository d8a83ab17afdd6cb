#include "actors/worker.hpp"

#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr auto tick_every = std::chrono::milliseconds(100);
constexpr auto dial_limit = std::chrono::seconds(5);      // a stream that neither opens nor fails
constexpr auto welcome_limit = std::chrono::seconds(4);    // a coordinator that says nothing to a hello: it may be loading
// A leader that has answered nothing for longer than the lease it gave cannot lead any more either (it is frozen, or cut off), and its
// successor waits for us; the margin is for a heartbeat that is on its way. Four seconds, as for the welcome, made a frozen leader's
// standby wait out its grace without us.
constexpr auto silence_margin = std::chrono::milliseconds(400);
constexpr std::size_t results_at_once = 500;
constexpr auto started_told_after = std::chrono::milliseconds(2); // most short tasks have ended by then, and are one message less

} // namespace

void worker_state::start(self_ptr self, worker_config config, std::shared_ptr<coordinator_dialer> dialer, executor_pool_actor pool) {
  self_ = self;
  chance_.seed(config.seed);
  hold.configure(config.hold);
  config_ = std::move(config);
  dialer_ = std::move(dialer);
  pool_ = std::move(pool);
}

void worker_state::dial() {
  const auto next = [this] { return config_.coordinators[next_++ % config_.coordinators.size()]; };
  auto address = !hint_.empty() ? hint_ : next();
  if (address == silent_ && config_.coordinators.size() > 1 && hint_.empty()) address = next();
  hint_.clear();
  silent_.clear();
  where_ = address;
  dialling_ = true;
  dialled_ = now();
  dialer_->dial(address, ++dial_, self_);
}

void worker_state::opened(std::shared_ptr<coordinator_link> link) {
  link_ = std::move(link);
  welcomed_ = false;
  heard_ = greeted_ = now();
  hello h;
  h.name = config_.name;
  h.incarnation = config_.incarnation;
  h.queues = config_.queues;
  h.kinds = config_.kinds;
  h.slots = config_.hold.slots;
  h.credit = hold.credit_at_hello(now());
  h.held = hold.held();
  h.highest_term = hold.highest_term();
  push(std::move(h));
}

void worker_state::closed(const std::string& why) {
  if (link_) link_->close();
  link_.reset();
  dialling_ = false;
  if (welcomed_) spdlog::warn("worker '{}' lost its session: {}", config_.name, why);
  else if (failures_ == 0 || failures_ % 50 == 0) spdlog::info("worker '{}' has no coordinator yet: {}", config_.name, why);
  welcomed_ = false;
  hold.disconnected();
  asked_.clear();
  ++dial_; // whatever the old stream still says is not heard
  // Jitter keeps a thousand workers from coming back in the same millisecond; short, since tasks wait for them (protocol 3.3 #32). Who holds
  // some tries two coordinators within the new leader's grace of a second: else it gives them to others, and they run again.
  const auto longest = std::min(hold.idle() ? 1'000 : 400, 50 << std::min(failures_++, 5));
  redial_ = now() + std::chrono::milliseconds(20 + static_cast<int>(chance_() % static_cast<unsigned>(longest)));
}

bool worker_state::push(from_worker message) {
  if (!link_) return false;
  if (link_->push(std::move(message))) return true;
  closed("the stream does not take more");
  return false;
}

void worker_state::hear(link_event& event) {
  if (event.dial != dial_) {
    if (event.opened) event.opened->close();
    return;
  }
  heard_ = now();
  if (event.opened) return opened(std::move(event.opened));
  if (event.message) {
    hear_message(*event.message);
    return work();
  }
  gone_ = where_;
  closed(event.closed);
}

void worker_state::hear_message(to_worker& message) {
  if (auto* w = std::get_if<welcome>(&message)) {
    for (const auto run : hold.welcomed(*w, greeted_)) self_->send(pool_, cancel_atom::value, run);
    welcomed_ = true;
    reads_joined_ = w->reads_joined;
    failures_ = 0;
    gone_.clear();
    lease_ = std::max<duration>(w->lease, 2 * w->heartbeat_interval);
    heartbeat_interval_ = std::max<duration>(w->heartbeat_interval, std::chrono::milliseconds(10));
    last_beat_ = {};
    spdlog::info("worker '{}' has session {} of term {}, {} tasks kept, {} dropped", config_.name, w->session, w->term, w->keep.size(),
                 w->drop.size());
    if (draining_) push(taskmaster::draining{});
  } else if (auto* r = std::get_if<refused>(&message)) {
    // A standby names the dead leader until another one leads: to dial it once more would cost the time that the new leader's grace has.
    if (where_ == gone_) gone_.clear();
    if (r->leader != gone_) hint_ = r->leader;
    if (r->code == "incompatible" || r->code == "invalid_argument")
      spdlog::error("the coordinator refuses this worker: {}", r->message);
    closed(r->message);
  } else if (auto* beat = std::get_if<heartbeat_answer>(&message)) {
    for (const auto& f : beat->faults) spdlog::warn("task {}: {}", f.task.str(), f.message);
    const auto it = asked_.find(beat->sequence);
    if (it != asked_.end()) {
      hold.heartbeat_answered(it->second);
      asked_.erase(asked_.begin(), std::next(it));
    }
  } else if (auto* a = std::get_if<assign>(&message)) {
    hold.assigned(std::move(*a), now());
  } else if (auto* c = std::get_if<cancel_run>(&message)) {
    if (const auto run = hold.cancel(*c)) self_->send(pool_, cancel_atom::value, *run);
  } else if (auto* ack = std::get_if<acknowledged>(&message)) {
    for (const auto run : hold.acknowledge(*ack)) self_->send(pool_, cancel_atom::value, run);
  } else if (std::get_if<drain_worker>(&message) && !draining_) {
    spdlog::info("worker '{}' drains: {}", config_.name, std::get<drain_worker>(message).reason);
    draining_ = true;
    hold.drain();
    push(taskmaster::draining{});
  }
}

void worker_state::run(holdings::start what) {
  execution e;
  e.run = what.run;
  e.task = what.what.what.what.task;
  e.kind = what.what.kind;
  e.attempt = what.what.what.what.attempt;
  e.fence = what.what.what.what.fence.str();
  e.payload = what.what.payload;
  e.timeout = what.what.timeout;
  e.checkpoint = what.what.checkpoint;
  e.report = [me = worker_actor(self_), run = what.run](run_report said) { caf::anon_send(me, report_atom::value, run, std::move(said)); };
  // The executor keeps the task's own timeout; the pool answers every run, so no deadline here.
  self_->request(pool_, caf::infinite, run_atom::value, std::move(e))
      .then(
          [this, run = what.run](execution_result& r) {
            hold.ended(run, std::move(r), now());
            wake();
          },
          [this, run = what.run](const caf::error& e) {
            execution_result failed;
            failed.outcome = run_outcome::failed;
            failed.failure = task_error{"worker", self_->system().render(e)};
            hold.ended(run, std::move(failed), now());
            wake();
          });
}

void worker_state::wake() {
  // Of short tasks many end in the same moment: one message up with all their results and the credit, instead of two for each.
  if (std::exchange(awake_, true)) return;
  self_->send(self_, run_atom::value);
}

void worker_state::work() {
  awake_ = false;
  for (auto& s : hold.take_starts(now())) run(std::move(s));
  if (!welcomed_) return leave_if_done();
  if (!tell_starts()) return;
  while (true) {
    auto results = hold.take_results(results_at_once, now());
    if (results.results.empty()) break;
    if (reads_joined_) results.credit = hold.take_credit(now());
    if (!push(std::move(results))) return;
  }
  if (const auto more = hold.take_credit(now()); more > 0) push(more_credit{more});
  leave_if_done();
}

bool worker_state::tell_starts() {
  // What has ended by then is not told of: its result says when it began.
  const auto at = now();
  if (auto started = hold.take_started(at, at - (reads_joined_ ? started_told_after : duration(0))); !started.tasks.empty() && !push(std::move(started))) return false;
  if (hold.untold_starts() && !std::exchange(will_tell_, true)) self_->delayed_send(self_, started_told_after, report_atom::value);
  return true;
}

void worker_state::tell_in_time() {
  will_tell_ = false;
  work();
}

void worker_state::tick() {
  self_->delayed_send(self_, tick_every, tick_atom::value);
  const auto at = now();
  if (!link_) {
    if (dialling_ && at - dialled_ > dial_limit) closed("no answer from the coordinator within 5 s");
    if (!dialling_ && at >= redial_) dial();
    return leave_if_done();
  }
  const auto silence = welcomed_ ? lease_ + silence_margin : duration(welcome_limit);
  if (at - heard_ > silence) {
    silent_ = where_;
    return closed("the coordinator has answered nothing for " + format_duration(silence));
  }
  if (welcomed_ && at - last_beat_ >= heartbeat_interval_) {
    last_beat_ = at;
    auto progress = hold.take_progress();
    do { // what is too much for one message goes with more of them
      asked_[++beat_] = at;
      if (!push(heartbeat{beat_, std::move(progress)})) return;
      progress = hold.take_progress();
    } while (!progress.empty());
  }
  work();
}

caf::result<done_answer> worker_state::drain() {
  draining_ = true;
  hold.drain();
  drained_ = self_->make_response_promise<done_answer>();
  auto promise = *drained_;
  if (welcomed_) push(taskmaster::draining{});
  work();
  return promise;
}

void worker_state::leave_if_done() {
  if (!draining_ || !drained_) return;
  // Without a session the results cannot be delivered; what was left is found again by the coordinator's grace.
  if (!hold.idle() && (link_ || hold.running() > 0)) return;
  drained_->deliver(done_answer(done{}));
  drained_.reset();
  if (link_) link_->close();
  self_->quit();
}

void worker_state::stop() {
  if (link_) link_->close();
  self_->quit();
}

worker_actor::behavior_type worker(worker_state::self_ptr self, worker_config config, std::shared_ptr<coordinator_dialer> dialer,
                                   executor_pool_actor pool) {
  self->state.start(self, std::move(config), std::move(dialer), std::move(pool));
  self->send(self, tick_atom::value);
  return {
      [self](link_event& event) { self->state.hear(event); },
      [self](tick_atom) { self->state.tick(); },
      [self](report_atom, std::uint64_t run, run_report& said) { self->state.hear_report(run, said); },
      [self](run_atom) { self->state.work(); },
      [self](report_atom) { self->state.tell_in_time(); },
      [self](drain_atom) { return self->state.drain(); },
      [self](stop_atom) { self->state.stop(); },
  };
}

} // namespace taskmaster
