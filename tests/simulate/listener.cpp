#include "tests/simulate/listener.hpp"

namespace taskmaster::simulate {
namespace {

struct question {
  std::function<void(caf::event_based_actor*)> run;
};

} // namespace
} // namespace taskmaster::simulate
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(taskmaster::simulate::question)

namespace taskmaster::simulate {

caf::behavior listener::person(self_ptr self) {
  return {[self](question& q) { q.run(self); }};
}

listener::listener(world& w, books& b, cluster& c)
    : world_(w), books_(b), cluster_(c), home_(std::make_shared<part>("a listener")), person_(w.spawn(home_, person)) {}

void listener::live() { again(milliseconds(1)); }

void listener::again(duration wait) {
  world_.after(wait, [this] { ask(); });
}

void listener::ask() {
  caf::anon_send(person_, question{[this](self_ptr self) {
    const auto& scheduler = cluster_.schedulers[world_.dice.below(cluster_.schedulers.size())].actor;
    const auto wait = world_.dice.between(milliseconds(1), patience);
    self->request(scheduler, wait + seconds(2), events_atom::value, event_request{after_, {}, 50}, caf::timespan(wait))
        .then(
            [this](const events_answer& page) {
              if (page) hear(*page);
              again(page ? duration(milliseconds(1)) : world_.dice.between(milliseconds(20), milliseconds(400)));
            },
            [this](const caf::error&) { again(world_.dice.between(milliseconds(20), milliseconds(400))); });
  }});
}

void listener::hear(const event_page& page) {
  if (page.next == event_id{}) return; // nothing known yet, ask the same again
  if (page.gap || !begun_) {
    world_.tell("a listener is at " + to_string(page.from) + (after_ ? ", after a gap from " + to_string(*after_) : ""));
    since_ = world_.now();
    last_.clear();
    begun_ = true;
  }
  auto before = page.from;
  for (const auto& e : page.events) {
    if (e.id <= before) books_.mistold(e.task, "the event " + to_string(e.id) + " came after " + to_string(before));
    before = e.id;
    hear(e);
  }
  if (!page.gap && after_ && page.next < *after_) books_.mistold({}, "a stream went back from " + to_string(*after_) + " to " + to_string(page.next));
  after_ = page.next;
}

void listener::hear(const task_event& e) {
  const auto text = std::string(to_string(e.state)) + ", attempt " + std::to_string(e.attempt);
  world_.tell(e.task, "a listener hears " + to_string(e.id) + ": " + text);
  if (const auto known = last_.find(e.task); known != last_.end()) {
    const auto& [state, attempt] = known->second;
    const bool follows = may_move(state, e.state) || (state == e.state && e.attempt > attempt);
    if (!follows || e.attempt < attempt)
      books_.mistold(e.task, "a listener heard " + text + " after " + std::string(to_string(state)) + ", attempt " + std::to_string(attempt));
  }
  last_[e.task] = {e.state, e.attempt};
  if (!finished(e.state)) return;
  ends_.insert({e.task, e.attempt});
  const auto& all = books_.endings();
  const auto same = [&](const books::ending& c) { return c.task == e.task && c.attempt == e.attempt && c.state == e.state; };
  if (std::none_of(all.rbegin(), all.rend(), same)) books_.mistold(e.task, "a listener heard " + text + ", which was not committed");
}

void listener::close() {
  if (!begun_) books_.mistold({}, "a listener never had an answer");
  for (const auto& c : books_.endings())
    if (c.at >= since_ && !ends_.contains({c.task, c.attempt}) && last_[c.task].second <= c.attempt) // else a client's retry overtook it
      books_.mistold(c.task, "no listener was told that it ended " + std::string(to_string(c.state)) + ", and of no gap since " + since_start(since_));
}

} // namespace taskmaster::simulate
