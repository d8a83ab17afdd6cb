// One simulated world: virtual time, one thread, one source of chance, and the processes in it. Actors of the product run under CAF's
// test coordinator; which of those that have mail runs next is drawn, so that any order between mailboxes can happen. A part is a
// process: frozen, its actors stay where they are and wake with their old beliefs; dead, they never run again. What happens is
// hashed and kept as text, so that a seed can be told from its replay, and a violation told as a story.
#pragma once
#include "schema/time.hpp"
#include "schema/uuid.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <functional>
#include <random>
#include <unordered_map>

namespace taskmaster::simulate {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Everything random. The functions are our own: the standard's distributions differ between libraries.
class chance {
public:
  explicit chance(std::uint64_t seed) : source_(seed) {}
  std::uint64_t any() { return source_(); }
  /// From least to most, both included.
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return most <= least ? least : least + static_cast<std::int64_t>(source_() % static_cast<std::uint64_t>(most - least + 1));
  }
  duration between(duration least, duration most) { return duration(between(least.count(), most.count())); }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(source_() % n); }
  bool one_in(std::int64_t n) { return n > 0 && below(static_cast<std::size_t>(n)) == 0; }
  bool percent(std::int64_t p) { return static_cast<std::int64_t>(below(100)) < p; }
  /// Mostly short, sometimes long: `typical` a few times over, seldom fifty times.
  duration tailed(duration typical);

private:
  std::mt19937_64 source_;
};

/// A process.
struct part {
  explicit part(std::string n) : name(std::move(n)) {}
  std::string name;
  bool frozen = false, dead = false;
  int database_away = 0; // for this process alone: how many troubles keep it away
  std::vector<caf::strong_actor_ptr> actors; // kept, so that no address is used twice while somebody may look one up
};

struct event_line {
  steady_time when;
  uuid task; // nil: of no task
  std::string text;
};

class world {
public:
  explicit world(std::uint64_t seed);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  /// Ends every actor. Before anything goes that they may still speak to: whole mailboxes are read on the way.
  void close();

  // -- time ----------------------------------------------------------------------------------------------------------
  steady_time now() { return clock().now(); }
  /// What the database's clock shows, which somebody may set.
  timestamp database_time();
  void step_database_clock(duration by);
  /// The latest that the database's clock could be taken for by someone who has not heard of a step back in the last seconds.
  timestamp database_time_at_most();
  /// Within a few seconds of a step forward a lease is over before its holder can know (protocol S14).
  bool clock_stepped_lately();
  /// Runs `what` in no actor, after `wait`.
  void after(duration wait, std::function<void()> what);
  void run_until(steady_time end, const std::function<bool()>& enough = [] { return false; });

  // -- processes -----------------------------------------------------------------------------------------------------
  template <class F, class... Ts>
  auto spawn(const std::shared_ptr<part>& home, F f, Ts&&... arguments) {
    auto actor = system.spawn(f, std::forward<Ts>(arguments)...);
    settle_in(home, caf::actor_cast<caf::strong_actor_ptr>(actor), false);
    return actor;
  }
  /// The same for what runs beside the process and dies with it, but does not freeze with it: its children.
  template <class F, class... Ts>
  auto spawn_outside(const std::shared_ptr<part>& home, F f, Ts&&... arguments) {
    auto actor = system.spawn(f, std::forward<Ts>(arguments)...);
    settle_in(home, caf::actor_cast<caf::strong_actor_ptr>(actor), true);
    return actor;
  }
  void freeze(const std::shared_ptr<part>& p, duration how_long);
  /// Only one actor of a process: the scheduler of threads left it out.
  void freeze_actor(const caf::strong_actor_ptr& actor, duration how_long);
  /// A coordinator was not running for a while within the last `span`: what it says may be older than usual.
  bool froze_within(duration span) { return last_thaw_ + span > now(); }

  // -- what happens --------------------------------------------------------------------------------------------------
  void tell(const uuid& task, std::string text);
  void tell(std::string text) { tell(uuid{}, std::move(text)); }
  std::uint64_t hash() const { return hash_; }
  const std::vector<event_line>& story() const { return story_; }
  std::size_t steps() const { return steps_; }

  chance dice;

private:
  struct configuration : caf::actor_system_config {
    configuration() { set("scheduler.policy", caf::atom("testing")); }
  };
  struct resident {
    std::shared_ptr<part> home;
    bool frozen = false, outside = false;
  };

  caf::detail::test_actor_clock& clock() { return scheduler_.clock(); }
  void settle_in(const std::shared_ptr<part>& home, caf::strong_actor_ptr actor, bool outside);
  bool may_run(caf::resumable* job) const;
  bool run_one();
  bool pass_time(steady_time end);
  void mix(std::uint64_t value);

  configuration config_;

public:
  caf::actor_system system;

private:
  caf::scheduler::test_coordinator& scheduler_;
  std::multimap<steady_time, std::function<void()>> events_;
  std::unordered_map<caf::resumable*, resident> residents_;
  std::vector<std::size_t> ready_;
  int order_ = 0;  // how jobs are drawn: 0 any, 1 first come, 2 last come
  int hurry_ = 64; // one step in so many lets time pass although somebody has mail
  std::vector<std::pair<steady_time, duration>> steps_of_clock_;
  duration clock_offset_{0};
  steady_time last_thaw_{};
  std::uint64_t hash_ = 1469598103934665603ull;
  std::vector<event_line> story_;
  std::size_t steps_ = 0;
  bool over_ = false;
};

/// "+12.345678s".
std::string since_start(steady_time t);

} // namespace taskmaster::simulate
