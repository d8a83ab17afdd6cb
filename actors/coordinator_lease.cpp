// Leading: taking over, the grace, the scan, housekeeping, stepping down (R1 to R3, R8).
#include "actors/coordinator.hpp"

#include "schema/mutant.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr auto tick_every = std::chrono::milliseconds(50);
constexpr auto read_limit = std::chrono::milliseconds(5'000);
constexpr std::size_t scan_rows = 5'000;
constexpr auto audit_every = std::chrono::minutes(1);
constexpr auto upkeep_again = std::chrono::minutes(1);
// Submits by SQL that ask to be heard of share scans: so far apart, and further the longer a scan takes (somebody's old transaction
// makes it walk all that was inserted since).
constexpr auto heard_apart = std::chrono::milliseconds(10);
constexpr int heard_share = 4;

} // namespace

void coordinator_state::start(self_ptr self, coordinator_config config, store_lane_actor writes, store_lane_actor reads,
                              std::shared_ptr<lease_view> view, std::shared_ptr<metrics> meters) {
  self_ = self;
  config_ = config;
  plan_ = plan(config.plan);
  events_ = event_log(config.events_kept);
  writes_ = std::move(writes);
  reads_ = std::move(reads);
  view_ = std::move(view);
  meters_ = std::move(meters);
}

bool coordinator_state::leading() const { return is_loaded_ && view_->trusted(steady()); }

error coordinator_state::not_leading() const {
  const auto leader = view_->leader();
  return {ec::not_leader, leader.empty() ? "no coordinator leads at the moment, try again" : "this coordinator stands by, the leader is " + leader};
}

void coordinator_state::hear_lease(lease_event& event) {
  switch (event.what) {
  case lease_event::type::elected:
    clock_.sample(event.stamp, event.asked, event.received);
    if (term_) step_down("a new term begins");
    load(event.lease);
    break;
  case lease_event::type::renewed: clock_.sample(event.stamp, event.asked, event.received); break;
  case lease_event::type::ended: step_down("the lease is over"); break;
  }
}

void coordinator_state::load(const leader_lease& lease) {
  term_ = lease.term;
  secret_ = lease.secret;
  const auto epoch = ++epoch_;
  // The write lane's session is known to the database before it writes: whoever takes over may have to end it (R1).
  ask_store(
      self_, writes_, [term = term_](task_store& s) { return s.enlist(term, read_limit); },
      [this, epoch, lease](expected<done>& enlisted) {
        if (epoch != epoch_) return;
        if (!enlisted) return step_down("enlisting failed, " + to_string(enlisted.failure()));
        ask_store(
            self_, reads_,
            [](task_store& s) -> expected<loaded> {
              // In this order: every row that the buckets do not show is met by a scan from here.
              const auto scan = s.scan_start(read_limit);
              if (!scan) return scan.failure();
              auto buckets = s.buckets(read_limit);
              if (!buckets) return buckets.failure();
              auto sessions = s.sessions(read_limit);
              if (!sessions) return sessions.failure();
              auto settings = s.settings(read_limit);
              if (!settings) return settings.failure();
              auto schedules = read_schedules(s);
              if (!schedules) return schedules.failure();
              return loaded{*scan, std::move(*buckets), std::move(*sessions), std::move(*settings), std::move(*schedules)};
            },
            [this, epoch, lease](expected<loaded>& what) {
              if (epoch != epoch_) return;
              if (!what) return step_down("loading failed, " + to_string(what.failure()));
              take_over(lease, *what);
            });
      });
}

void coordinator_state::take_over(const leader_lease& lease, loaded& what) {
  awaited_.clear();
  for (const auto& s : what.sessions) awaited_.emplace(s.worker, s.incarnation);
  plan_.lead(lease, !awaited_.empty(), steady());
  events_.begin({term_, 0});
  plan_.tell(true, lease.now); // those who listened to the last leader come within a moment
  listen();
  plan_.load_settings(what.settings);
  plan_.load_buckets(what.buckets);
  schedules_.load(std::move(what.schedules), now());
  scheduling_ = schedules_unsure_ = false;
  schedule_again_ = {};
  scan_from_ = what.scan;
  scanning_ = upkeep_running_ = recording_ = following_ = heard_ = false;
  edges_ = !mutant("children_untold");
  told_all_ = false;
  refilling_ = 0;
  last_scan_ = steady();
  last_upkeep_ = {};
  grace_ends_ = steady() + config_.grace;
  is_loaded_ = true;
  meters_->leading.Set(1);
  spdlog::info("took over: {} buckets of waiting tasks, {} workers of the last term to wait for", what.buckets.size(), awaited_.size());
  renew_transactions(0);
  auto early = std::move(early_);
  early_.clear();
  for (auto& hello : early) hear_hello(hello);
  if (config_.submits) config_.submits->listen([me = coordinator_desk_actor(self_)] { caf::anon_send(me, heard_atom::value); });
  wake();
}

void coordinator_state::end_grace() {
  // Claims of older terms, the greatest fence first: of two that name one task the later assignment counts (R11).
  std::vector<std::pair<claim, session_id>> claims;
  for (auto& [id, a] : arrivals_) {
    for (auto& c : a.waiting) claims.emplace_back(c, id);
    a.waiting.clear();
  }
  std::sort(claims.begin(), claims.end(), [](const auto& a, const auto& b) { return a.first.fence > b.first.fence; });
  for (auto& [c, id] : claims) {
    const auto verdict = plan_.claimed(id, c, now(), true);
    (verdict == plan::claim_verdict::keep ? arrivals_.at(id).keep : arrivals_.at(id).drop).push_back(c);
  }
  plan_.end_grace(now());
  std::vector<session_id> ids;
  for (const auto& [id, a] : arrivals_) ids.push_back(id);
  for (const auto id : ids) welcome_if_decided(id);
  for (const auto& [worker, incarnation] : awaited_)
    ask_store(
        self_, writes_,
        [term = term_, worker = worker, incarnation = incarnation](task_store& s) {
          return s.close_session(term, worker, incarnation, read_limit);
        },
        [](expected<done>&) {});
  spdlog::info("the grace after the takeover is over, {} workers did not come back", awaited_.size());
  awaited_.clear();
  wake();
}

void coordinator_state::step_down(const std::string& why) {
  if (!term_) return;
  spdlog::warn("stepping down from term {}: {}", term_, why);
  view_->renounce(term_);
  if (config_.submits) config_.submits->rest();
  term_ = 0;
  is_loaded_ = false;
  ++epoch_;
  meters_->leading.Set(0);
  const auto leader = view_->leader();
  for (auto& [id, s] : sessions_)
    if (s.connected)
      self_->send(s.proxy, proxy_order{refused{"not_leader", "this coordinator does not lead any more", leader}, true});
  for (auto& hello : early_) self_->send(hello.proxy, proxy_order{refused{"not_leader", "this coordinator does not lead any more", leader}, true});
  early_.clear();
  sessions_.clear();
  arrivals_.clear();
  plan_.resign();
  schedules_.clear();
  outbox_.clear();
  in_flight_.clear();
  unread_.clear();
  told_.clear();
  keeping_.clear();
  recording_ = false;
  fail_promises(not_leading());
  fail_pollers(not_leading());
}

void coordinator_state::tick() {
  self_->delayed_send(self_, tick_every, tick_atom::value);
  if (term_ && !view_->trusted(steady())) return step_down("the lease is not trusted any more");
  if (!leading()) return;
  const auto at = steady();
  plan_.sweep(at);
  end_waits();
  if (plan_.in_grace() && (at >= grace_ends_ || awaited_.empty())) end_grace();
  std::vector<session_id> given_up;
  for (const auto& [id, s] : sessions_)
    if (!s.connected && at >= s.grace_ends) given_up.push_back(id);
  for (const auto id : given_up) end_session(id, 0);
  if (!unread_.empty()) read_again(std::exchange(unread_, {}));
  change_next_queue();
  run_schedules();
  for (auto& [id, order] : edits_)
    if (order.answered && at >= order.again) write_edit(id);
  if (!scanning_ && at - last_scan_ >= config_.scan_every) scan();
  if (at - last_audit_ >= audit_every) audit();
  scan_heard();
  if (at - last_follow_up_ >= config_.scan_every && !mutant("children_untold")) told_all_ = false; // what came through SQL, and what expires
  if (!upkeep_running_ && (last_upkeep_ == steady_time{} || at - last_upkeep_ >= config_.upkeep_every)) upkeep();
  answer_pollers();
  const auto size = plan_.count();
  meters_->sessions.Set(static_cast<double>(sessions_.size()));
  meters_->running.Set(static_cast<double>(size.running));
  meters_->planned.Set(static_cast<double>(size.entries));
  meters_->tombstones.Set(static_cast<double>(size.tombstones));
  work();
}

void coordinator_state::scan() {
  scanning_ = true;
  last_scan_ = steady();
  const auto ticket = plan_.open_read();
  ask_store(
      self_, reads_,
      [from = scan_from_, known = std::vector(told_.begin(), told_.end())](task_store& s) { return s.scan(from, scan_rows, read_limit, known); },
      [this, ticket, begun = steady(), epoch = epoch_](expected<scan_page>& page) {
        if (epoch != epoch_) return;
        scanning_ = false;
        heard_scan_from_ = steady() + std::max<steady_time::duration>(heard_apart, heard_share * (steady() - begun));
        if (page) {
          for (const auto& row : page->tasks) clock_.witness(row.created_at, steady()); // due at once: not before the clock's bound says so
          const auto before = plan_.count().entries;
          plan_.scanned(std::move(page->tasks), now());
          const auto after = plan_.count().entries;
          if (after > before) meters_->found_by_scan.Increment(static_cast<double>(after - before));
          scan_from_ = page->next;
          told_.erase(told_.begin(), told_.lower_bound(scan_from_.since));
          if (!page->more) plan_.scan_passed();
          if (page->more) last_scan_ = steady() - config_.scan_every; // the pass goes on with the next tick
        }
        plan_.close_read(ticket);
        work();
        scan_heard();
      });
}

void coordinator_state::hear_submits() {
  heard_ = true;
  scan_heard();
}

void coordinator_state::scan_heard() {
  // A scan under way may have begun before the commit: one more after it. What is too early now waits for a tick.
  if (!heard_ || scanning_ || !leading() || steady() < heard_scan_from_) return;
  heard_ = false;
  scan();
}

void coordinator_state::upkeep() {
  upkeep_running_ = true;
  last_upkeep_ = steady();
  // Refills and a new term's load wait behind it: it had 30 s, and a database that did not answer kept a leader from leading for as long.
  ask_store(
      self_, reads_, [retention = config_.retention](task_store& s) { return s.maintain(retention, read_limit); },
      [this, epoch = epoch_, began = steady()](expected<task_store::upkeep>& kept) {
        if (epoch != epoch_) return;
        upkeep_running_ = false;
        // One that failed, or used its time and has left something, is gone on with in a minute.
        if (!kept || steady() - began > read_limit / 2) last_upkeep_ = steady() - config_.upkeep_every + std::min<caf::timespan>(config_.upkeep_every, upkeep_again);
        if (!kept) {
          spdlog::warn("housekeeping failed, tried again in a minute: {}", to_string(kept.failure()));
          return;
        }
        meters_->history_days_ahead.Set(kept->days_ahead);
        if (kept->made || kept->dropped)
          spdlog::info("history: {} days ahead have a partition, {} made, {} dropped", kept->days_ahead, kept->made, kept->dropped);
      });
}

void coordinator_state::audit() {
  last_audit_ = steady();
  const auto fault = plan_.audit();
  meters_->invariant_faults.Set(fault.empty() ? 0 : 1);
  if (!fault.empty()) spdlog::error("the plan contradicts itself: {}; please report this", fault);
}

void coordinator_state::stop() {
  stopping_ = true;
  step_down("this process is stopping");
  self_->quit();
}

} // namespace taskmaster
