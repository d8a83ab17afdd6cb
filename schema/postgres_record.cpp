// The leader's changes: grouped by kind, one function call a group, several changes of one task after each
// other.
#include "schema/postgres_parts.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <unordered_map>
#include <unordered_set>

namespace taskmaster::postgres {

namespace {

using portion = std::span<const std::size_t>;
using change = task_change::type;

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::size_t weight(const task_change& c) {
  return c.result.size() + (c.failure ? c.failure->message.size() : 0) + 256;
}

class recording {
public:
  recording(connection& db, std::uint64_t term, const std::vector<task_change>& changes, steady_time deadline)
      : db_(db), term_(term), changes_(changes), deadline_(deadline) {}

  expected<recorded> run() {
    answer_.answers.resize(changes_.size());
    // A round ends where a task comes the second time; within a round the order does not matter.
    for (std::size_t start = 0; start < changes_.size();) {
      std::unordered_set<uuid> seen;
      std::array<std::vector<std::size_t>, 5> groups;
      for (; start < changes_.size() && seen.insert(changes_[start].id).second; ++start)
        groups[static_cast<std::size_t>(changes_[start].what)].push_back(start);
      for (const auto& group : groups)
        if (auto fault = change_all(group)) return *fault;
    }
    if (answer_.now == timestamp{}) { // nothing told the time
      auto clock = db_.run("clock", {}, deadline_, effect::read);
      if (!clock) return whole(clock.failure());
      answer_.now = clock->timestamp(0, 0);
    }
    return std::move(answer_);
  }

private:
  error whole(error fault) const {
    if (changed_something_ && fault.code != ec::deposed)
      fault = {ec::ambiguous, "only a part of the changes was recorded: " + fault.message};
    return fault;
  }

  std::optional<error> change_all(const std::vector<std::size_t>& group) {
    std::vector<std::size_t> storable;
    for (auto i : group)
      // A result is kept as bytes, which take anything; everyone who reads it expects text.
      if (changes_[i].what == change::finish && !storable_text(changes_[i].result))
        answer_.answers[i].verdict = change_verdict::refused;
      else
        storable.push_back(i);
    for (std::size_t start = 0; start < storable.size();) {
      std::size_t end = start, bytes = 0;
      while (end < storable.size() && end - start < statement_rows &&
             (end == start || bytes + weight(changes_[storable[end]]) <= statement_bytes))
        bytes += weight(changes_[storable[end++]]);
      if (auto fault = change_portion(portion(storable).subspan(start, end - start))) return fault;
      start = end;
    }
    return std::nullopt;
  }

  std::optional<error> change_portion(portion group) {
    static constexpr std::array<std::string_view, 5> names{"finish_tasks", "retry_tasks", "lose_tasks",
                                                           "mark_tasks", "free_keys"};
    auto what = changes_[group[0]].what;
    auto answer =
        db_.run(names[static_cast<std::size_t>(what)], arguments(what, group), deadline_, effect::write);
    if (answer) {
      take(what, group, *answer);
      changed_something_ = true;
      return std::nullopt;
    }
    if (answer.failure().code != ec::invalid_argument) return whole(answer.failure());
    if (group.size() == 1) {
      answer_.answers[group[0]].verdict = change_verdict::refused;
      return std::nullopt;
    }
    auto half = group.size() / 2;
    if (auto first = change_portion(group.first(half))) return first;
    return change_portion(group.subspan(half));
  }

  parameters arguments(change what, portion group) const {
    array ids(type::uuid), attempts(type::int4), losses(type::int4), states(type::text),
        waits(type::interval), burned(type::boolean), reasons(type::text), codes(type::text),
        messages(type::text), results(type::bytea), workers(type::text), terms(type::int8),
        sequences(type::int8), picked(type::timestamptz), started(type::timestamptz);
    for (auto i : group) {
      const auto& c = changes_[i];
      ids.add(c.id);
      attempts.add(c.version.attempt);
      losses.add(c.version.losses);
      states.add(to_string(c.state));
      waits.add(c.wait);
      burned.add(c.burned);
      reasons.add_or_null(c.reason);
      c.failure ? codes.add(c.failure->code) : codes.add_null();
      c.failure ? messages.add(c.failure->message) : messages.add_null();
      results.add_or_null(c.result);
      workers.add_or_null(c.worker);
      terms.add(number(c.fence.term));
      sequences.add(number(c.fence.sequence));
      picked.add(c.picked_at);
      started.add(c.started_at);
    }
    parameters p;
    p.add(number(term_)).add(std::move(ids)).add(std::move(attempts)).add(std::move(losses));
    switch (what) {
    case change::finish:
      p.add(std::move(states))
          .add_unless_blank(std::move(reasons))
          .add_unless_blank(std::move(codes))
          .add_unless_blank(std::move(messages))
          .add_unless_blank(std::move(results));
      break;
    case change::retry:
      p.add(std::move(waits))
          .add(std::move(burned))
          .add(std::move(reasons))
          .add(std::move(codes))
          .add(std::move(messages));
      break;
    case change::lose: p.add(std::move(reasons)).add(std::move(codes)).add(std::move(messages)); break;
    case change::free_key: return p;
    case change::mark: p.add(std::move(terms)).add(std::move(sequences)); return p;
    }
    p.add(std::move(workers))
        .add(std::move(terms))
        .add(std::move(sequences))
        .add(std::move(picked))
        .add(std::move(started));
    return p;
  }

  void take(change what, portion group, const rows& answer) {
    std::unordered_map<uuid, std::size_t> place;
    for (auto i : group) place.emplace(changes_[i].id, i);
    auto at = [&](const uuid& id) -> change_answer& { return answer_.answers[place.at(id)]; };
    if (what == change::finish) {
      for (auto i : group) answer_.answers[i].verdict = change_verdict::applied;
      answer_.now = std::max(answer_.now, answer.timestamp(0, 0));
      for (const auto& id : answer.uuids(0, 1)) at(id).verdict = change_verdict::already;
      for (const auto& id : answer.uuids(0, 2)) at(id).verdict = change_verdict::stale;
      return;
    }
    for (int row = 0; row < answer.count(); ++row) { // the others stay stale
      auto& a = at(answer.uuid(row, 0));
      if (what == change::free_key)
        a.verdict = change_verdict::applied;
      else if (what == change::mark)
        a.verdict = answer.boolean(row, 1) ? change_verdict::already : change_verdict::applied;
      else
        a = {change_verdict::applied, answer.timestamp(row, 1)};
    }
  }

  connection& db_;
  std::uint64_t term_;
  const std::vector<task_change>& changes_;
  steady_time deadline_;
  recorded answer_;
  bool changed_something_ = false;
};

} // namespace

expected<recorded> record_changes(connection& db, std::uint64_t term, const std::vector<task_change>& changes,
                                  steady_time deadline) {
  return recording(db, term, changes, deadline).run();
}

} // namespace taskmaster::postgres
