// Schedules: the leader alone fires and changes them, one question to the store at a time, so that each builds on the last. The book says
// what is due; an instant's task, its key and the move of the schedule are one transaction (R17).
#include "actors/coordinator.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

constexpr auto limit = std::chrono::milliseconds(5'000);
constexpr std::size_t orders_most = 1'000;
constexpr std::size_t page = 1'000;

error no_schedule(const std::string& name) { return {ec::not_found, "there is no schedule '" + name + "'"}; }

/// The instants of a backfill, oldest first. Those that are not decided on yet fire by themselves.
expected<std::vector<timestamp>> past_instants(const booked_schedule& s, timestamp from, timestamp until, timestamp now) {
  until = std::min(until, now);
  if (s.state.next_at) until = std::min(until, *s.state.next_at - duration(1));
  auto found = instants_between(s.compiled->when(), from - duration(1), until, limits::backfill + 1);
  if (found.size() <= limits::backfill) return found;
  return error{ec::unprocessable, "The range holds more instants than the limit of " + std::to_string(limits::backfill) + "; fill it in parts.",
               {{"/until", "is too far from `from`: the thousandth instant is " + format_timestamp(found[limits::backfill - 1])}}};
}

} // namespace

expected<std::vector<booked_schedule>> coordinator_state::read_schedules(task_store& s) {
  std::vector<booked_schedule> all;
  std::string cursor;
  do {
    auto some = s.schedules(cursor, page, limit);
    if (!some) return some.failure();
    for (auto& record : some->schedules) {
      const auto name = record.spec.name;
      auto one = booked_schedule::of(std::move(record));
      if (one) all.push_back(std::move(*one));
      else spdlog::error("schedule '{}' does not fire until it is put anew: {}", name, to_string(one.failure()));
    }
    cursor = some->next_cursor;
  } while (!cursor.empty());
  return all;
}

void coordinator_state::run_schedules() {
  if (!leading() || scheduling_ || steady() < schedule_again_) return;
  if (schedules_unsure_) return reload_schedules();
  const auto at = now();
  // An order comes after the instants of its schedule that were due before it; a flood of them takes turns with what is due.
  const bool order = !schedule_orders_.empty() && !schedules_.is_due(schedule_orders_.front().command.name, at);
  auto due = order && !order_last_ ? std::vector<booked_schedule>() : schedules_.due(at, schedules_a_round_);
  order_last_ = order && due.empty();
  if (order_last_) return next_schedule_order();
  if (!due.empty()) fire_round(std::move(due));
}

void coordinator_state::fire_round(std::vector<booked_schedule> due) {
  scheduling_ = true;
  ask_store(
      self_, writes_, // after the outcomes that are on their way: what they finish is not unfinished
      [term = term_, due = std::move(due), at = now()](task_store& s) -> expected<schedule_round> {
        schedule_round round;
        round.schedules = due;
        if (const auto names = asking_for_unfinished(due); !names.empty()) {
          auto open = s.unfinished_of(names, limit);
          if (!open) return open.failure();
          round.unfinished = std::move(*open);
        }
        decide_round(round, at);
        auto answers = s.fire_schedules(term, round.firings, limit);
        if (!answers) return answers.failure();
        round.answers = std::move(*answers);
        return round;
      },
      [this, epoch = epoch_](expected<schedule_round>& round) {
        if (epoch != epoch_) return;
        scheduling_ = false;
        fired(round);
      });
}

void coordinator_state::fired(expected<schedule_round>& round) {
  if (!round) {
    if (schedule_failed(round.failure())) return;
    // The database refuses it: one at a time, and the one at fault not before a minute has passed.
    if (schedules_a_round_ == 1)
      if (const auto due = schedules_.due(now(), 1); !due.empty()) schedules_.postpone(due[0].name(), now() + std::chrono::minutes(1));
    schedules_a_round_ = 1;
    return;
  }
  schedules_a_round_ = 500;
  for (std::size_t i = 0; i < round->schedules.size(); ++i) {
    auto& answer = round->answers[i];
    auto& firing = round->firings[i];
    const auto& name = round->schedules[i].name();
    if (!answer.moved) {
      schedules_unsure_ = true; // somebody else's hand, or an answer of ours that was lost
      continue;
    }
    firing.next.step = firing.step + 1;
    std::vector<uuid> open;
    for (const auto& t : answer.tasks) open.push_back(t.id);
    if (const auto known = round->unfinished.find(name); known != round->unfinished.end()) open.insert(open.end(), known->second.begin(), known->second.end());
    schedules_.moved(name, firing.next, open, now());
    for (const auto& u : firing.ledger) meters_->schedules_unfired.Increment(static_cast<double>(u.count));
    take_fired(answer.tasks);
  }
  for (const auto& id : round->cancel) cancel_task(id, {});
  wake();
}

void coordinator_state::take_fired(std::vector<task>& tasks) {
  meters_->schedules_fired.Increment(static_cast<double>(tasks.size()));
  for (auto& row : tasks) {
    clock_.witness(row.created_at, steady());
    plan_.announced(row, now());
  }
}

/// True: nothing more to do about it.
bool coordinator_state::schedule_failed(const error& e) {
  if (e.code == ec::deposed) {
    step_down("another coordinator has taken over");
    return true;
  }
  schedule_again_ = steady() + std::chrono::milliseconds(200);
  spdlog::warn("schedules could not be written, trying again: {}", to_string(e));
  if (e.code == ec::invalid_argument || e.code == ec::unprocessable || e.code == ec::internal) return false;
  schedules_unsure_ = true; // it may have been done all the same
  return true;
}

void coordinator_state::reload_schedules() {
  scheduling_ = true;
  ask_store(
      self_, writes_, [](task_store& s) { return read_schedules(s); }, // behind the write whose answer was lost
      [this, epoch = epoch_](expected<std::vector<booked_schedule>>& all) {
        if (epoch != epoch_) return;
        scheduling_ = false;
        if (!all) {
          schedule_again_ = steady() + std::chrono::milliseconds(200);
          return;
        }
        schedules_unsure_ = false;
        schedules_.load(std::move(*all), now());
        wake();
      });
}

caf::result<schedule_answer> coordinator_state::change_schedule(schedule_command& command) {
  auto promise = self_->make_response_promise<schedule_answer>();
  if (!leading()) {
    promise.deliver(schedule_answer(not_leading()));
  } else if (schedule_orders_.size() >= orders_most) {
    promise.deliver(schedule_answer(error{ec::exhausted, "a thousand changes of schedules are under way, try again"}));
  } else {
    schedule_orders_.push_back({std::move(command), promise});
    run_schedules();
  }
  return promise;
}

void coordinator_state::answer_schedule_order(schedule_answer answer) {
  auto promise = schedule_orders_.front().promise;
  schedule_orders_.pop_front();
  promise.deliver(std::move(answer));
  wake();
}

void coordinator_state::next_schedule_order() {
  const auto command = schedule_orders_.front().command;
  using verb = schedule_command::verb;
  if (command.what != verb::put && !schedules_.find(command.name)) return answer_schedule_order(no_schedule(command.name));
  switch (command.what) {
  case verb::put: return put_schedule(command);
  case verb::pause:
  case verb::resume: return pause_schedule(command);
  case verb::remove: return remove_schedule(command);
  default: return run_schedule(command);
  }
}

void coordinator_state::put_schedule(const schedule_command& command) {
  if (const auto fault = validate(command.spec, now())) return answer_schedule_order(*fault);
  const auto* old = schedules_.find(command.name);
  if (!old && schedules_.size() >= limits::schedules)
    return answer_schedule_order(error{ec::unprocessable, "there are " + std::to_string(limits::schedules) + " schedules, which is the limit; delete some"});
  schedule_record record;
  record.spec = command.spec;
  const bool changed = !old || digest(command.spec) != digest(old->compiled->spec());
  if (old) {
    record.version = old->version + (changed ? 1 : 0);
    record.state = old->state;
  }
  record.tzdata = old && !changed ? old->tzdata : time_zone::version();
  auto next = booked_schedule::of(std::move(record));
  if (!next) return answer_schedule_order(next.failure());
  if (changed) next->state = begin(*next->compiled, next->state, now());
  next->state.paused = command.paused.value_or(next->state.paused);
  if (!changed && next->state == old->state) return answer_schedule_order(schedule_outcome{old->record(), false, {}, 0}); // nothing to write
  write_schedule(std::move(*next), !old);
}

void coordinator_state::pause_schedule(const schedule_command& command) {
  auto next = *schedules_.find(command.name);
  const bool paused = command.what == schedule_command::verb::pause;
  if (next.state.paused == paused) return answer_schedule_order(schedule_outcome{next.record(), false, {}, 0});
  next.state.paused = paused;
  write_schedule(std::move(next), false);
}

void coordinator_state::write_schedule(booked_schedule changed, bool created) {
  ++changed.state.step;
  scheduling_ = true;
  ask_store(
      self_, writes_, [term = term_, record = changed.record()](task_store& s) { return s.put_schedule(term, record, limit); },
      [this, changed, created, epoch = epoch_](expected<schedule_record>& written) mutable {
        if (epoch != epoch_) return; // its promise was answered when this coordinator stepped down
        scheduling_ = false;
        if (!written) {
          const auto why = written.failure();
          if (why.code != ec::deposed) answer_schedule_order(why);
          schedule_failed(why);
          return;
        }
        changed.created_at = written->created_at;
        changed.updated_at = written->updated_at;
        schedules_.put(changed, now());
        answer_schedule_order(schedule_outcome{changed.record(), created, {}, 0});
      });
}

void coordinator_state::remove_schedule(const schedule_command& command) {
  scheduling_ = true;
  ask_store(
      self_, writes_, [term = term_, name = command.name](task_store& s) { return s.delete_schedule(term, name, limit); },
      [this, was = schedules_.find(command.name)->record(), epoch = epoch_](expected<done>& gone) {
        if (epoch != epoch_) return;
        scheduling_ = false;
        if (!gone) {
          const auto why = gone.failure();
          if (why.code != ec::deposed) answer_schedule_order(why);
          schedule_failed(why);
          return;
        }
        schedules_.erase(was.spec.name);
        answer_schedule_order(schedule_outcome{was, false, {}, 0});
      });
}

/// trigger, backfill: tasks beside the schedule's own course.
void coordinator_state::run_schedule(const schedule_command& command) {
  const auto s = *schedules_.find(command.name);
  const auto at = now();
  // The asker's instant, so that a request that was sent twice starts one task; unless its clock is another one altogether.
  std::vector<timestamp> instants{std::chrono::abs(command.from - at) < std::chrono::minutes(1) ? command.from : at};
  if (command.what == schedule_command::verb::backfill) {
    auto past = past_instants(s, command.from, command.until, at);
    if (!past) return answer_schedule_order(past.failure());
    if (past->empty()) return answer_schedule_order(schedule_outcome{s.record(), false, {}, 0});
    instants = std::move(*past);
  }
  struct made {
    std::vector<task> tasks;
    std::int64_t step = 0;
    std::optional<error> refused; // before anything was done
  };
  scheduling_ = true;
  ask_store(
      self_, writes_,
      [term = term_, s, instants, at, command](task_store& store) -> expected<made> {
        made out{{}, s.state.step, {}};
        const auto& spec = s.compiled->spec();
        if (spec.overlap != overlap_policy::allow && !command.beside_unfinished) {
          auto open = store.unfinished_of({command.name}, limit);
          if (!open) return open.failure();
          if (const auto n = (*open)[command.name].size(); n || instants.size() > 1) {
            out.refused = error{ec::conflict, (n ? "A task of this schedule is unfinished" : "These are " + std::to_string(instants.size()) + " tasks at once") +
                                                  ", and its overlap is " + std::string(to_string(spec.overlap)) +
                                                  "; cancel or wait, or say {\"overlap\": \"allow\"} to run beside it."};
            return out;
          }
        }
        const auto most = tasks_at_once(spec);
        for (std::size_t i = 0; i < instants.size(); i += most) {
          schedule_firing f;
          f.spec = std::shared_ptr<const schedule_spec>(s.compiled, &spec);
          f.step = out.step;
          f.next = s.state;
          for (std::size_t k = i; k < std::min(instants.size(), i + most); ++k) f.tasks.push_back({uuid::make(at), instants[k], at});
          auto answer = store.fire_schedules(term, {f}, limit);
          if (!answer) return answer.failure();
          if (!answer->at(0).moved) return error{ec::ambiguous, "the schedule changed meanwhile, try again"};
          ++out.step;
          for (auto& t : answer->at(0).tasks) out.tasks.push_back(std::move(t));
        }
        return out;
      },
      [this, s, matched = instants.size(), epoch = epoch_](expected<made>& answer) {
        if (epoch != epoch_) return;
        scheduling_ = false;
        if (!answer) {
          const auto why = answer.failure();
          if (why.code != ec::deposed) answer_schedule_order(why);
          schedule_failed(why);
          return;
        }
        if (answer->refused) return answer_schedule_order(*answer->refused);
        auto state = s.state;
        state.step = answer->step;
        schedules_.moved(s.name(), state, {}, now());
        take_fired(answer->tasks);
        auto record = s.record();
        record.state = state;
        const bool twice = answer->tasks.empty() && schedule_orders_.front().command.what == schedule_command::verb::trigger;
        if (twice) return answer_schedule_order(error{ec::ambiguous, "This request was sent twice, and its task is started already; look at the schedule's tasks."});
        answer_schedule_order(schedule_outcome{std::move(record), false, std::move(answer->tasks), matched});
      });
}

} // namespace taskmaster
