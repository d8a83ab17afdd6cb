// A scheduler's copy of the leader's events, for the streams it serves. Streams come with a cursor, as the feed does to the leader, so a
// reader that does not read costs nothing but its place: it falls behind the copy and is told of a gap. Event-based. Asks the leader only
// while streams ask here.
#pragma once
#include "actors/interfaces.hpp"
#include "actors/store_lane.hpp"

namespace taskmaster {

struct event_feed_config {
  std::size_t kept = 200'000;                        // as many as the leader keeps, or an id that it knows would be a gap here
  std::size_t streams = 2'000;                       // that wait at once
  std::chrono::milliseconds poll{3'000};             // a question to the leader; one that dies takes at most this with it
  std::chrono::milliseconds breath{300};             // after a failure
  std::chrono::milliseconds idle{30'000};            // without a question of a stream
};

class event_feed_state {
public:
  using self_ptr = event_feed_actor::stateful_pointer<event_feed_state>;
  static inline const char* name = "event-feed";

  void start(self_ptr self, event_feed_config config, coordinator_actor coordinator, store_lane_actor reads);
  caf::result<events_answer> ask(const event_request& what, caf::timespan timeout);
  void tick();

private:
  struct stream {
    event_request what;
    steady_time until;
    caf::typed_response_promise<events_answer> promise;
  };

  void serve();
  bool serve(stream& s);
  void look_up_labels(stream s, event_page page);
  void poll();
  void hear(event_page& page);
  steady_time now() const { return self_->system().clock().now(); }

  self_ptr self_ = nullptr;
  event_feed_config config_;
  coordinator_actor coordinator_;
  store_lane_actor reads_;
  event_log log_{0};
  bool begun_ = false;  // there has been an answer
  bool following_ = false; // and since then a question has been under way all the time: the copy ends where the leader's does
  bool polling_ = false, ticking_ = false;
  steady_time asked_{}, again_{};
  std::vector<stream> waiting_;
  std::size_t looking_up_ = 0;
};

/// `reads`: a lane to look labels up on.
event_feed_actor::behavior_type event_feed(event_feed_state::self_ptr self, event_feed_config config, coordinator_actor coordinator,
                                           store_lane_actor reads);

} // namespace taskmaster
