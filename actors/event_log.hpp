// What happened to tasks, in order, as far back as it is kept: a bounded ring of transitions whose ids, (term, sequence), grow for ever.
// The leader writes one; a scheduler keeps a copy of its end for the streams it serves. Readers come with the last id they have, so nothing is
// kept for them: one that falls behind the ring is told of a gap. Pure; one thread.
#pragma once
#include "schema/store.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace taskmaster {

/// As text "TERM-SEQUENCE". The greatest id of one term is followed by the first of the next, but nobody can say what happened between
/// two terms: that is a gap.
struct event_id {
  std::uint64_t term = 0, sequence = 0;
  auto operator<=>(const event_id&) const = default;
};
std::string to_string(const event_id& id);
std::optional<event_id> parse_event_id(std::string_view text);

/// One task came into this state.
struct task_event {
  event_id id;
  uuid task;
  task_state state = task_state::scheduled;
  std::int32_t attempt = 1;
  timestamp at;
  std::shared_ptr<const bucket_key> where; // queue and kind; shared by the tasks of a bucket
};

/// Any of each list; an empty one takes everything. All labels have to be there.
struct event_filter {
  std::set<std::string> queues, kinds;
  std::set<task_state> states;
  std::set<uuid> tasks;
  std::map<std::string, std::string> labels; // known to the database alone: event_feed looks them up
  /// Whether it takes this event, its labels aside.
  bool takes(const task_event& e) const;
};

struct event_request {
  std::optional<event_id> after; // nothing: from now on. The id {0, 0} is older than any: all that is kept, after a gap
  event_filter filter;
  std::size_t most = 1'000;
};

struct event_page {
  std::vector<task_event> events;
  event_id from;    // it has what comes after this
  event_id next;    // read on after this; {0, 0}: not known yet, ask the same again
  event_id end;     // the last id there is
  bool gap = false; // what came after the id asked for is not all here; the page begins with the oldest that is kept
};

class event_log {
public:
  explicit event_log(std::size_t capacity) : capacity_(capacity) {}

  /// Forgets everything; the next event follows `last`.
  void begin(event_id last);
  /// Gives the event the next id; the oldest goes when the ring is full.
  void append(task_event e);
  /// Events went by that were not written down: whoever has read so far has a gap.
  void skip();
  /// The writer has come as far as this, though the copy has not: ids up to it are no strangers.
  void expect(event_id end) { expected_ = end; }

  event_page read(const event_request& what) const;
  event_id end() const { return {term_, begin_ + count_}; }
  std::size_t size() const { return count_; }

private:
  std::size_t capacity_;
  std::vector<task_event> ring_;      // grows up to its capacity
  std::size_t oldest_ = 0, count_ = 0; // of ring_
  std::uint64_t term_ = 0, begin_ = 0; // the sequence before the oldest
  event_id expected_;
};

} // namespace taskmaster
