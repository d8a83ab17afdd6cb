#include "actors/event_log.hpp"

#include <algorithm>
#include <charconv>

namespace taskmaster {
namespace {

// Events looked at for one page: a filter that takes next to nothing must not hold up everybody else.
constexpr std::size_t walk_most = 50'000;

} // namespace

std::string to_string(const event_id& id) { return std::to_string(id.term) + "-" + std::to_string(id.sequence); }

std::optional<event_id> parse_event_id(std::string_view text) {
  event_id out;
  const auto* const end = text.data() + text.size();
  const auto [dash, bad_term] = std::from_chars(text.data(), end, out.term);
  if (bad_term != std::errc() || dash == end || *dash != '-') return {};
  const auto [last, bad_sequence] = std::from_chars(dash + 1, end, out.sequence);
  if (bad_sequence != std::errc() || last != end) return {};
  return out;
}

bool event_filter::takes(const task_event& e) const {
  return (states.empty() || states.contains(e.state)) && (queues.empty() || queues.contains(e.where->queue)) &&
         (kinds.empty() || kinds.contains(e.where->kind)) && (tasks.empty() || tasks.contains(e.task));
}

void event_log::begin(event_id last) {
  ring_.clear();
  oldest_ = count_ = 0;
  term_ = last.term;
  begin_ = last.sequence;
  expected_ = {};
}

void event_log::append(task_event e) {
  e.id = {term_, begin_ + count_ + 1};
  if (count_ < capacity_) {
    const auto at = (oldest_ + count_) % capacity_;
    if (at == ring_.size()) ring_.push_back(std::move(e));
    else ring_[at] = std::move(e);
    ++count_;
  } else {
    ring_[oldest_] = std::move(e);
    oldest_ = (oldest_ + 1) % capacity_;
    ++begin_;
  }
}

void event_log::skip() { begin({term_, end().sequence + 1}); }

event_page event_log::read(const event_request& what) const {
  event_page out;
  out.end = std::max(end(), expected_);
  if (!what.after) {
    out.from = out.next = out.end;
    return out;
  }
  const auto after = *what.after;
  out.gap = after.term != term_ || after.sequence < begin_ || after > out.end;
  out.from = out.gap ? event_id{term_, begin_} : after;
  if (!out.gap && after >= end()) { // nothing new yet
    out.next = after;
    return out;
  }
  auto place = out.gap ? 0 : static_cast<std::size_t>(after.sequence - begin_);
  const auto stop = std::min(count_, place + walk_most);
  for (; place < stop && out.events.size() < what.most; ++place) {
    const auto& e = ring_[(oldest_ + place) % capacity_];
    if (what.filter.takes(e)) out.events.push_back(e);
  }
  out.next = {term_, begin_ + place};
  return out;
}

} // namespace taskmaster
