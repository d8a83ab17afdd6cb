// The leader's schedules: which is due next, which waits for the end of a task. It decides what to ask for; the coordinator asks and tells
// it what came of it. What an instant does is decided in schema/schedule.hpp. Pure, takes `now`; one thread.
#pragma once
#include "schema/store.hpp"

#include <map>
#include <memory>
#include <set>
#include <unordered_map>

namespace taskmaster {

/// A schedule as it stands; `compiled` is shared with whoever decides on it elsewhere.
struct booked_schedule {
  std::shared_ptr<const schedule> compiled;
  std::int32_t version = 1;
  schedule_state state;
  timestamp created_at, updated_at;
  std::string tzdata;

  const std::string& name() const { return compiled->spec().name; }
  schedule_record record() const { return {compiled->spec(), version, state, created_at, updated_at, tzdata}; }
  static expected<booked_schedule> of(schedule_record record);
};

class schedule_book {
public:
  /// Forgets everything, then knows these.
  void load(std::vector<booked_schedule> all, timestamp now);
  void clear();

  /// Schedules with an instant up to `now`, or that wait for tasks which may have ended; the longest due first.
  std::vector<booked_schedule> due(timestamp now, std::size_t most) const;
  bool is_due(const std::string& name, timestamp now) const;
  /// When due() has something next.
  std::optional<timestamp> next_due() const;

  const booked_schedule* find(const std::string& name) const;
  std::size_t size() const { return all_.size(); }

  void put(booked_schedule s, timestamp now);
  void erase(const std::string& name);
  /// It has moved on. One that waits is looked at again when one of these tasks has finished, and after a second in any case.
  void moved(const std::string& name, const schedule_state& state, const std::vector<uuid>& unfinished, timestamp now);
  /// It could not be fired: not before then again.
  void postpone(const std::string& name, timestamp until);
  /// A task has finished; true when a schedule waited for it.
  bool task_finished(const uuid& id, timestamp now);

private:
  struct entry {
    booked_schedule what;
    std::optional<timestamp> alarm; // stands in alarms_
    std::vector<uuid> watched;
  };
  void set_alarm(const std::string& name, entry& e, std::optional<timestamp> at);
  void unwatch(entry& e);

  std::map<std::string, entry> all_;
  std::set<std::pair<timestamp, std::string>> alarms_;
  std::unordered_map<uuid, std::string> watched_; // task -> the schedule that waits for it
};

/// The decisions on these schedules as orders to the store, and which tasks are to be cancelled. `unfinished`: of those that ask.
struct schedule_round {
  std::vector<booked_schedule> schedules;
  std::map<std::string, std::vector<uuid>> unfinished;
  std::vector<schedule_firing> firings; // as many as schedules
  std::vector<uuid> cancel;
  std::vector<fired_schedule> answers; // as many as schedules, once asked
};
/// How many tasks of this schedule one statement makes at most: a thousand, or what 16 MiB of payload hold.
std::size_t tasks_at_once(const schedule_spec& spec);
/// Of what one statement can take; `schedules` is cut to it, and what is left is due again at once.
void decide_round(schedule_round& round, timestamp now);
/// Those of `schedules` whose policy asks for unfinished tasks.
std::vector<std::string> asking_for_unfinished(const std::vector<booked_schedule>& schedules);

} // namespace taskmaster
