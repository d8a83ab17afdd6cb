#include "tests/simulate/database.hpp"

#include "schema/mutant.hpp"

namespace taskmaster::simulate {
namespace {

/// What one call will meet.
struct course {
  duration there{0}, back{0};
  store_fate fate = store_fate::good;
  int passes = 0;        // calls of the closure that go well before
  bool hangs = false;    // the answer comes when the call's time is over
  duration open{0};      // a write stays open this long before it commits,
  bool given_up = false; // and its client does not wait for that
  std::function<void(const std::shared_ptr<part>&)> struck; // what happens to the client meanwhile
};

course draw(chance& dice, const database_weather& weather, database::lane_kind kind) {
  course c;
  c.there = dice.tailed(weather.typical);
  c.back = dice.tailed(weather.typical);
  if (weather.down) {
    c.fate = dice.one_in(4) ? store_fate::unanswered : store_fate::refused;
    c.hangs = c.fate == store_fate::unanswered;
    return c;
  }
  auto luck = dice.between(0, 999);
  const auto falls = [&](std::int64_t share) {
    luck -= share;
    return luck < 0;
  };
  if (falls(weather.refused)) c.fate = store_fate::refused;
  else if (falls(weather.answer_lost)) c.fate = store_fate::answer_lost;
  else if (falls(weather.unanswered)) c.fate = store_fate::unanswered;
  else if (falls(weather.hangs)) c.fate = (c.hangs = true, dice.one_in(2)) ? store_fate::answer_lost : store_fate::unanswered;
  else if (kind == database::lane_kind::leader_writes && falls(weather.open_long)) {
    c.open = dice.between(milliseconds(1), dice.one_in(3) ? milliseconds(3'000) : milliseconds(200));
    c.given_up = dice.one_in(3);
  }
  if (c.fate != store_fate::good && dice.one_in(2)) c.passes = static_cast<int>(dice.below(3));
  return c;
}

} // namespace

/// One lane: its calls wait their turn, as they do behind a connection that blocks.
class lane_line : public std::enable_shared_from_this<lane_line> {
public:
  lane_line(database& base, std::shared_ptr<part> home, database::lane_kind kind)
      : base_(base), home_(std::move(home)), kind_(kind),
        store_(std::make_shared<faulty_store>(base.world_, base.books_, base.memory)) {}

  void ask(store_call what, caf::typed_response_promise<store_reply> promise) {
    waiting_.push_back({std::move(what), std::move(promise)});
    if (!busy_) start();
  }
  void answered(const store_reply& reply) {
    auto promise = std::move(waiting_.front().promise);
    waiting_.pop_front();
    busy_ = false;
    promise.deliver(reply);
    if (!waiting_.empty()) start();
  }
  simulated_lane_actor actor;

private:
  struct asked {
    store_call what;
    caf::typed_response_promise<store_reply> promise;
  };

  void start() {
    busy_ = true;
    auto weather = base_.weather;
    weather.down = weather.down || home_->database_away > 0;
    auto c = draw(base_.world_.dice, weather, kind_);
    if (kind_ == database::lane_kind::leader_writes && base_.in_next_write && c.fate == store_fate::good) {
      c.open = base_.world_.dice.between(milliseconds(1'000), milliseconds(5'000));
      c.struck = std::exchange(base_.in_next_write, nullptr);
    }
    if (c.fate != store_fate::good || c.open.count()) ++base_.faults;
    base_.world_.after(c.there, [me = shared_from_this(), c, what = waiting_.front().what] { me->arrive(c, what); });
  }

  /// The call is at the database.
  void arrive(const course& c, const store_call& what) {
    // A process that died on the way: its backend may have read the statement, or not.
    if (home_->dead && base_.world_.dice.one_in(2)) return;
    if (kind_ == database::lane_kind::leader_writes) base_.end_write(late_, base_.world_.dice.one_in(2)); // the rows are locked by it
    if (kind_ == database::lane_kind::lease && lease_is_over() && !mutant("no_term_lock")) base_.end_open_writes();
    if (c.open.count() == 0) return reply(run(what, c.fate, c.passes), c.hangs ? duration(store_->limit()) : c.back);
    const auto led = base_.memory->leader;
    const auto end = [me = shared_from_this(), what, c, led](bool commit) {
      auto answer = me->under(led, [&] { return me->run(what, commit ? store_fate::good : store_fate::unanswered, 0); });
      if (!c.given_up) me->reply(std::move(answer), c.back);
    };
    late_ = base_.begin_write(c.open, end);
    if (c.given_up) reply(run(what, store_fate::unanswered, 0), c.back);
    if (c.struck) c.struck(home_);
  }

  bool lease_is_over() const {
    return base_.memory->leader && base_.memory->leader->expires_at < base_.memory->now();
  }

  /// The term was looked at when the write began, and the lock makes that good until it ends. Without the lock the row may say
  /// something else by now, and the write commits all the same.
  template <class Call>
  auto under(const std::optional<memory_database::lease_row>& led, Call call) -> decltype(call()) {
    if (!mutant("no_term_lock") || !led) return call();
    const auto today = std::exchange(base_.memory->leader, led);
    auto answer = call();
    base_.memory->leader = today;
    return answer;
  }

  store_reply run(const store_call& what, store_fate fate, int passes) {
    store_->next(fate, passes);
    return store_reply{std::make_shared<std::any>(what.run(*store_))};
  }

  void reply(store_reply answer, duration wait) {
    base_.world_.after(wait, [me = shared_from_this(), answer = std::move(answer)]() mutable {
      if (!me->home_->dead) caf::anon_send(me->actor, std::move(answer));
    });
  }

  database& base_;
  std::shared_ptr<part> home_;
  database::lane_kind kind_;
  std::shared_ptr<faulty_store> store_;
  std::deque<asked> waiting_;
  bool busy_ = false;
  std::uint64_t late_ = 0; // its open write
};

namespace {

struct lane_state {
  lane_state() = default;
  static inline const char* name = "simulated-lane";
  std::shared_ptr<lane_line> line;
};

simulated_lane_actor::behavior_type simulated_lane(simulated_lane_actor::stateful_pointer<lane_state> self, std::shared_ptr<lane_line> line) {
  self->state.line = std::move(line);
  return {
      [self](const store_call& call) -> caf::result<store_reply> {
        auto promise = self->make_response_promise<store_reply>();
        self->state.line->ask(call, promise);
        return promise;
      },
      [self](const store_reply& reply) { self->state.line->answered(reply); },
  };
}

} // namespace

store_lane_actor database::lane(const std::shared_ptr<part>& home, lane_kind kind) {
  auto line = std::make_shared<lane_line>(*this, home, kind);
  line->actor = world_.spawn(home, simulated_lane, line);
  return line->actor;
}

std::uint64_t database::begin_write(duration open, end_of_write end) {
  const auto number = ++number_;
  open_[number] = std::move(end);
  world_.after(open, [this, number] { end_write(number, true); });
  return number;
}

void database::end_write(std::uint64_t number, bool commit) {
  const auto it = open_.find(number);
  if (it == open_.end()) return;
  const auto end = std::move(it->second);
  open_.erase(it);
  end(commit);
}

void database::end_open_writes() {
  while (!open_.empty()) end_write(open_.begin()->first, world_.dice.one_in(2));
}

} // namespace taskmaster::simulate
