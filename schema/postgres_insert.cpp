// Storing tasks: in portions of one statement each; a portion that the server refuses is halved until the bad
// row is alone.
#include "schema/postgres_parts.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <unordered_map>

namespace taskmaster::postgres {

namespace {

bool keyed(const new_task& n) { return !n.spec.unique_key.empty() || !n.spec.idempotency_key.empty(); }

error key_is_held(const std::string& key, const uuid& by) {
  return {ec::conflict, "task " + by.str() + " holds this unique key", {{"/unique/key", "'" + key + "' is held by task " + by.str()}}};
}

std::size_t weight(const new_task& n) { return n.spec.payload.size() + 256; }

/// Indexes into the caller's vector.
using portion = std::span<const std::size_t>;

class inserting {
public:
  inserting(connection& db, std::set<std::string>& known_queues, const std::vector<new_task>& wanted,
            steady_time deadline)
      : db_(db), known_queues_(known_queues), wanted_(wanted), deadline_(deadline) {}

  expected<std::vector<inserted>> run() {
    answers_.resize(wanted_.size());
    std::vector<std::size_t> plain;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      answers_[i].task = make_task(wanted_[i]);
      if (!keyed(wanted_[i])) plain.push_back(i);
    }
    // Plain rows first: they wait for nobody.
    if (auto fault = store_all(plain, false)) return *fault;
    for (const auto& wave : waves())
      if (auto fault = store_all(wave, true)) return *fault;
    note_queues(db_, known_queues_, wanted_, answers_, deadline_);
    return std::move(answers_);
  }

private:
  /// Keyed rows in waves in which each key occurs once, so that of two rows with one key the later is the
  /// repeated one although the server takes a wave in the order of keys.
  std::vector<std::vector<std::size_t>> waves() const {
    std::vector<std::vector<std::size_t>> found;
    std::unordered_map<std::string, std::size_t> used; // a key -> the first wave after the one that has it
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      if (!keyed(wanted_[i])) continue;
      const auto& spec = wanted_[i].spec;
      std::size_t wave = 0;
      for (const auto& key : {"u" + spec.unique_key, "i" + spec.idempotency_key})
        if (key.size() > 1)
          if (auto at = used.find(key); at != used.end()) wave = std::max(wave, at->second);
      for (const auto& key : {"u" + spec.unique_key, "i" + spec.idempotency_key})
        if (key.size() > 1) used[key] = wave + 1;
      if (found.size() <= wave) found.resize(wave + 1);
      found[wave].push_back(i);
    }
    return found;
  }

  std::optional<error> store_all(const std::vector<std::size_t>& rows, bool with_keys) {
    for (std::size_t start = 0; start < rows.size();) {
      std::size_t end = start, bytes = 0;
      while (end < rows.size() && end - start < statement_rows &&
             (end == start || bytes + weight(wanted_[rows[end]]) <= statement_bytes))
        bytes += weight(wanted_[rows[end++]]);
      if (auto fault = store(portion(rows).subspan(start, end - start), with_keys)) return fault;
      start = end;
    }
    return std::nullopt;
  }

  /// A fault that concerns the whole call, or nothing: each row then has its answer.
  std::optional<error> store(portion rows, bool with_keys) {
    auto answer =
        db_.run(with_keys ? "insert_keyed" : "insert", insert_arguments(wanted_, rows, with_keys), deadline_, effect::write);
    if (answer) {
      with_keys ? take_keyed(rows, *answer) : take_plain(rows, *answer);
      stored_something_ = true;
      return std::nullopt;
    }
    auto fault = answer.failure();
    const auto& state = db_.sqlstate();
    bool blocked = with_keys && (state == "55P03" || state == "40P01" || state == "40001");
    if (fault.code != ec::invalid_argument && !blocked) {
      // What earlier statements of this call stored is stored.
      if (stored_something_ && fault.code != ec::ambiguous)
        return error{ec::ambiguous, "only a part of the batch was stored: " + fault.message};
      return fault;
    }
    if (rows.size() > 1) {
      auto half = rows.size() / 2;
      if (auto first = store(rows.first(half), with_keys)) return first;
      return store(rows.subspan(half), with_keys);
    }
    auto& refused = answers_[rows[0]].refused;
    if (blocked) {
      refused = error{ec::unavailable, "an open transaction holds this task's key; try again"};
      refused->retry_after = std::chrono::seconds(1);
    } else if (state == "23505")
      refused = error{ec::conflict, "a task with the id " + wanted_[rows[0]].id.str() + " exists"};
    else
      refused = error{ec::invalid_argument, "the database does not take this task: " + fault.message};
    return std::nullopt;
  }

  void take_plain(portion asked, const rows& answer) {
    // The rows come back in the order asked; by id all the same, since nothing in SQL promises it.
    std::unordered_map<uuid, int> place;
    for (int row = 0; row < answer.count(); ++row) place.emplace(answer.uuid(row, 0), row);
    for (auto i : asked)
      if (auto at = place.find(wanted_[i].id); at != place.end()) {
        take_times(answers_[i].task, answer, at->second, 1);
        answers_[i].transaction = static_cast<std::uint64_t>(answer.int8(at->second, 3));
      }
  }

  void take_keyed(portion asked, const rows& answer) {
    for (int row = 0; row < answer.count(); ++row) {
      auto& a = answers_[asked[static_cast<std::size_t>(answer.int4(row, 0) - 1)]];
      auto verdict = answer.text(row, 1);
      if (verdict == "other_body") {
        a.refused = error{ec::unprocessable,
                          "this idempotency key was used with another body",
                          {{"/idempotency_key",
                            "was used with another body; take a new key or send the first body again"}}};
        continue;
      }
      a.task.id = answer.uuid(row, 2);
      a.held = verdict == "held" || verdict == "refused";
      a.repeated = a.held || verdict == "repeated";
      if (verdict == "refused") a.refused = key_is_held(a.task.unique_key, a.task.id);
      if (!a.repeated) take_times(a.task, answer, row, 3);
    }
  }

  static void take_times(task& t, const rows& answer, int row, int column) {
    t.run_at = answer.timestamp(row, column);
    t.created_at = answer.timestamp(row, column + 1);
  }

  connection& db_;
  std::set<std::string>& known_queues_;
  const std::vector<new_task>& wanted_;
  steady_time deadline_;
  std::vector<inserted> answers_;
  bool stored_something_ = false;
};

} // namespace

void note_queues(connection& db, std::set<std::string>& known_queues, const std::vector<new_task>& wanted,
                 const std::vector<inserted>& answers, steady_time deadline) {
  constexpr std::size_t most = 10'000;
  std::set<std::string> fresh;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!answers[i].refused && !known_queues.contains(wanted[i].spec.queue)) fresh.insert(wanted[i].spec.queue);
  if (fresh.empty()) return;
  array names(type::text);
  for (const auto& name : fresh) names.add(name);
  if (!db.run("insert_queues", parameters().add(std::move(names)), deadline, effect::write)) return;
  if (known_queues.size() + fresh.size() > most) known_queues.clear();
  known_queues.merge(fresh);
}

parameters insert_arguments(const std::vector<new_task>& wanted, std::span<const std::size_t> rows, bool with_keys) {
  array ids(type::uuid), queues(type::text), kinds(type::text), priorities(type::int4),
      run_ats(type::timestamptz), delays(type::interval), payloads(type::bytea), timeouts(type::interval),
      expires_ats(type::timestamptz), max_attempts(type::int4), initials(type::interval),
      factors(type::float8), maxs(type::interval), jitters(type::float8), at_most_onces(type::boolean),
      unique_keys(type::text), concurrency_keys(type::text), labels(type::jsonb), options(type::jsonb),
      idempotency_keys(type::text), fingerprints(type::bytea);
  const retry_policy usual;
  // What the functions of keyed rows and graphs insert has these three; the plain statement fills them in.
  const auto add = [&](array& to, const auto& value, const auto& plain) { with_keys ? to.add(value) : to.add_unless(value, plain); };
  for (auto i : rows) {
    const auto& spec = wanted[i].spec;
    const bool once = spec.delivery == delivery_mode::at_most_once;
    ids.add(wanted[i].id);
    queues.add(spec.queue);
    kinds.add(spec.kind);
    add(priorities, spec.priority, 0);
    run_ats.add(spec.run_at);
    add(delays, spec.delay.value_or(duration{0}), duration{0});
    payloads.add(spec.payload);
    timeouts.add_unless(spec.timeout, duration{0});
    expires_ats.add(spec.expires_at);
    add(max_attempts, once ? 1 : spec.max_attempts, 5);
    initials.add_unless(spec.retry.initial, usual.initial);
    factors.add_unless(spec.retry.factor, usual.factor);
    maxs.add_unless(spec.retry.max, usual.max);
    jitters.add_unless(spec.retry.jitter, usual.jitter);
    add(at_most_onces, once, false);
    unique_keys.add_or_null(spec.unique_key);
    concurrency_keys.add_or_null(spec.concurrency_key);
    spec.labels.empty() ? labels.add_null() : labels.add_bytes(encode_jsonb(spec.labels));
    const auto set = to_json(options_to_store(spec));
    set.empty() ? options.add_null() : options.add_bytes("\1" + set);
    if (with_keys) {
      idempotency_keys.add_or_null(spec.idempotency_key);
      fingerprints.add_or_null(wanted[i].fingerprint);
    }
  }
  parameters p;
  for (auto* a : {&ids, &queues, &kinds, &priorities, &run_ats, &delays, &payloads, &timeouts, &expires_ats,
                  &max_attempts, &initials, &factors, &maxs, &jitters, &at_most_onces, &unique_keys,
                  &concurrency_keys, &labels})
    with_keys ? p.add(std::move(*a)) : p.add_unless_blank(std::move(*a));
  if (with_keys) p.add(std::move(idempotency_keys)).add(std::move(fingerprints)).add(std::move(options));
  else p.add_unless_blank(std::move(options));
  return p;
}

expected<std::vector<inserted>> insert_tasks(connection& db, std::set<std::string>& known_queues,
                                             const std::vector<new_task>& wanted, steady_time deadline) {
  return inserting(db, known_queues, wanted, deadline).run();
}

} // namespace taskmaster::postgres
