#include "actors/event_feed.hpp"

#include <algorithm>
#include <unordered_set>

namespace taskmaster {
namespace {

constexpr std::chrono::milliseconds tick_every{100};
constexpr std::chrono::milliseconds slack{1'500};
constexpr std::chrono::milliseconds read_limit{5'000};
constexpr std::size_t page_of_the_leader = 2'000;

/// Those of the events' tasks that have all the labels.
expected<std::unordered_set<uuid>> labelled(task_store& store, const std::vector<task_event>& events,
                                            const std::map<std::string, std::string>& labels) {
  task_filter f;
  f.labels = labels;
  f.limit = limits::page;
  for (const auto& e : events) f.ids.push_back(e.task);
  std::unordered_set<uuid> out;
  do {
    auto page = store.list(f, read_limit);
    if (!page) return page.failure();
    for (const auto& r : page->tasks) out.insert(r.task.id);
    f.cursor = page->next_cursor;
  } while (!f.cursor.empty());
  return out;
}

} // namespace

void event_feed_state::start(self_ptr self, event_feed_config config, coordinator_actor coordinator, store_lane_actor reads) {
  self_ = self;
  config_ = config;
  coordinator_ = std::move(coordinator);
  reads_ = std::move(reads);
  log_ = event_log(config.kept);
}

caf::result<events_answer> event_feed_state::ask(const event_request& what, caf::timespan timeout) {
  auto promise = self_->make_response_promise<events_answer>();
  if (waiting_.size() + looking_up_ >= config_.streams) {
    error full(ec::exhausted, std::to_string(config_.streams) + " event streams are open on this node, which is its limit; try again later");
    full.retry_after = std::chrono::seconds(5);
    promise.deliver(events_answer(full));
    return promise;
  }
  asked_ = now();
  stream s{what, now() + timeout, promise};
  s.what.most = std::clamp<std::size_t>(what.most, 1, 1'000);
  if (!serve(s)) waiting_.push_back(std::move(s));
  poll();
  if (!ticking_) {
    ticking_ = true;
    self_->delayed_send(self_, tick_every, tick_atom::value);
  }
  return promise;
}

void event_feed_state::serve() {
  std::erase_if(waiting_, [this](stream& s) { return serve(s); });
}

/// True: it is answered, or on its way.
bool event_feed_state::serve(stream& s) {
  const bool late = now() >= s.until;
  if (!begun_ || (!s.what.after && !following_)) {
    if (late) s.promise.deliver(events_answer(event_page{{}, s.what.after.value_or(event_id{}), s.what.after.value_or(event_id{}), {}, false}));
    return late;
  }
  auto page = log_.read(s.what);
  // An id that another scheduler gave may be ahead of this copy for a moment.
  if (!late && s.what.after && *s.what.after > page.end) return false;
  if (!late && page.events.empty() && !page.gap && s.what.after) {
    s.what.after = page.next;
    return false;
  }
  if (!page.events.empty() && !s.what.filter.labels.empty()) look_up_labels(std::move(s), std::move(page));
  else s.promise.deliver(events_answer(std::move(page)));
  return true;
}

void event_feed_state::look_up_labels(stream s, event_page page) {
  ++looking_up_;
  const auto labels = s.what.filter.labels;
  ask_store(
      self_, reads_, [events = page.events, labels](task_store& store) { return labelled(store, events, labels); },
      [this, s, page](expected<std::unordered_set<uuid>>& have) mutable {
        --looking_up_;
        if (!have) return void(s.promise.deliver(events_answer(have.failure())));
        std::erase_if(page.events, [&](const task_event& e) { return !have->contains(e.task); });
        if (page.events.empty() && !page.gap) {
          s.what.after = page.next;
          if (!serve(s)) waiting_.push_back(std::move(s));
          return;
        }
        s.promise.deliver(events_answer(std::move(page)));
      });
}

void event_feed_state::poll() {
  if (polling_ || now() < again_) return;
  if (waiting_.empty() && looking_up_ == 0 && now() - asked_ > config_.idle) {
    following_ = false;
    return;
  }
  polling_ = true;
  // The first answer comes at once: it says where the leader stands.
  const auto wait = following_ ? config_.poll : std::chrono::milliseconds(0);
  event_request next{begun_ ? log_.end() : event_id{}, {}, page_of_the_leader};
  self_->request(coordinator_, caf::timespan(wait + slack), events_atom::value, std::move(next), caf::timespan(wait))
      .then(
          [this](events_answer& page) {
            polling_ = false;
            if (page) return hear(*page);
            following_ = false;
            again_ = now() + config_.breath;
          },
          [this](const caf::error&) {
            polling_ = false;
            following_ = false;
            again_ = now() + config_.breath;
          });
}

void event_feed_state::hear(event_page& page) {
  if (!begun_ || page.gap) log_.begin(page.from);
  begun_ = following_ = true;
  for (auto& e : page.events) log_.append(std::move(e));
  log_.expect(page.end);
  serve();
  poll();
}

void event_feed_state::tick() {
  serve();
  poll();
  ticking_ = polling_ || !waiting_.empty() || now() - asked_ <= config_.idle;
  if (ticking_) self_->delayed_send(self_, tick_every, tick_atom::value);
}

event_feed_actor::behavior_type event_feed(event_feed_state::self_ptr self, event_feed_config config, coordinator_actor coordinator,
                                           store_lane_actor reads) {
  self->state.start(self, config, std::move(coordinator), std::move(reads));
  return {
      [self](events_atom, const event_request& what, caf::timespan timeout) { return self->state.ask(what, timeout); },
      [self](tick_atom) { self->state.tick(); },
  };
}

} // namespace taskmaster
