// Schedules: definitions, firings (R17), the ledger. migrations/0007_schedules.sql has the statements.
#include "schema/postgres_parts.hpp"

#include <unordered_map>

namespace taskmaster::postgres {

namespace {

constexpr std::int64_t unfinished_most = 100;

std::string as_jsonb(const std::string& text) { return "\1" + text; }

expected<schedule_record> read_one(const rows& r, int row) {
  int c = 10;
  auto spec = parse_definition(r.text(row, c++));
  if (!spec) return spec.failure();
  schedule_record out;
  out.spec = std::move(*spec);
  out.spec.name = r.text(row, 0);
  out.version = r.int4(row, 1);
  out.state = {r.maybe_timestamp(row, 4), r.maybe_timestamp(row, 5), r.maybe_timestamp(row, 6), r.boolean(row, 3), r.int8(row, 2)};
  out.created_at = r.timestamp(row, 7);
  out.updated_at = r.timestamp(row, 8);
  out.tzdata = r.text(row, 9);
  auto& t = out.spec.task;
  t.queue = r.text(row, c++);
  t.kind = r.text(row, c++);
  t.priority = r.int4(row, c++);
  t.payload = r.text(row, c++);
  t.timeout = r.interval(row, c++);
  t.max_attempts = r.int4(row, c++);
  t.retry.initial = r.interval(row, c++);
  t.retry.factor = r.float8(row, c++);
  t.retry.max = r.interval(row, c++);
  t.retry.jitter = r.float8(row, c++);
  t.delivery = r.boolean(row, c++) ? delivery_mode::at_most_once : delivery_mode::at_least_once;
  t.concurrency_key = r.text(row, c++);
  t.labels = r.labels(row, c++);
  t.options = options_of(r.options(row, c));
  return out;
}

/// NULL for what is not set.
void add_options(array& to, const task_options& options) {
  const auto text = to_json(options);
  text.empty() ? to.add_null() : to.add_bytes(as_jsonb(text));
}

} // namespace

expected<schedule_page> read_schedules(connection& db, const std::string& cursor, std::size_t most,
                                       const std::optional<std::string>& only, steady_time deadline) {
  parameters values;
  values.add(cursor).add(static_cast<std::int64_t>(most + 1)).add(only).add(static_cast<std::int64_t>(limits::page_bytes));
  auto found = db.run("schedules", values, deadline, effect::read);
  if (!found) return found.failure();
  schedule_page page;
  for (int row = 0; row < found->count(); ++row) {
    if (page.schedules.size() == most) {
      page.next_cursor = page.schedules.back().spec.name;
      break;
    }
    auto one = read_one(*found, row);
    if (!one) return one.failure();
    page.schedules.push_back(std::move(*one));
  }
  // A page that was cut by bytes is shorter than asked and not known to be the last.
  std::size_t bytes = 0;
  for (const auto& s : page.schedules) bytes += s.spec.task.payload.size();
  if (bytes >= limits::page_bytes && page.next_cursor.empty() && !only) page.next_cursor = page.schedules.back().spec.name;
  return page;
}

expected<ledger_page> read_ledger(connection& db, const std::string& name, const std::string& cursor,
                                  std::size_t most, steady_time deadline) {
  auto before = timestamp::max();
  if (!cursor.empty()) {
    const auto parsed = parse_timestamp(cursor);
    if (!parsed)
      return error{ec::invalid_argument, "the cursor is not one of a page before", {{"/cursor", "take next_cursor of the page before"}}};
    before = *parsed;
  }
  auto found = db.run("schedule_ledger", parameters().add(name).add(before).add(static_cast<std::int64_t>(most + 1)), deadline, effect::read);
  if (!found) return found.failure();
  ledger_page page;
  for (int row = 0; row < found->count(); ++row) {
    if (page.rows.size() == most) {
      page.next_cursor = format_timestamp(page.rows.back().what.from);
      break;
    }
    page.rows.push_back({{found->timestamp(row, 0), found->timestamp(row, 1), found->int8(row, 3), found->text(row, 4)}, found->timestamp(row, 2)});
  }
  return page;
}

expected<std::map<std::string, std::vector<uuid>>>
read_unfinished(connection& db, const std::vector<std::string>& schedules, steady_time deadline) {
  array names(type::text);
  for (const auto& name : schedules) names.add(name);
  auto found = db.run("unfinished_of_schedules", parameters().add(std::move(names)).add(unfinished_most), deadline, effect::read);
  if (!found) return found.failure();
  std::map<std::string, std::vector<uuid>> out;
  for (int row = 0; row < found->count(); ++row) out[found->text(row, 0)].push_back(found->uuid(row, 1));
  return out;
}

expected<schedule_record> write_schedule(connection& db, std::uint64_t term, const schedule_record& r,
                                         steady_time deadline) {
  const auto& t = r.spec.task;
  parameters values;
  values.add(static_cast<std::int64_t>(term)).add(r.spec.name).add(r.version).add(r.state.step).add(r.state.paused);
  values.add(r.state.next_at).add(r.state.last_at).add(r.state.buffered).add(r.tzdata).add(as_jsonb(definition_json(r.spec)));
  values.add(t.queue).add(t.kind).add(t.priority).add(t.payload).add(t.timeout);
  values.add(t.delivery == delivery_mode::at_most_once ? 1 : t.max_attempts);
  values.add(t.retry.initial).add(t.retry.factor).add(t.retry.max).add(t.retry.jitter).add(t.delivery == delivery_mode::at_most_once);
  t.concurrency_key.empty() ? values.add_null() : values.add(t.concurrency_key);
  t.labels.empty() ? values.add_null() : values.add(encode_jsonb(t.labels));
  const auto options = to_json(t.options);
  options.empty() ? values.add_null() : values.add(as_jsonb(options));
  auto answer = db.run("put_schedule", values, deadline, effect::write);
  if (!answer) return answer.failure();
  auto stored = r;
  stored.created_at = answer->timestamp(0, 0);
  stored.updated_at = answer->timestamp(0, 1);
  return stored;
}

expected<done> delete_schedule(connection& db, std::uint64_t term, const std::string& name,
                               steady_time deadline) {
  auto answer = db.run("delete_schedule", parameters().add(static_cast<std::int64_t>(term)).add(name), deadline, effect::write);
  if (!answer) return answer.failure();
  if (!answer->boolean(0, 0)) return error{ec::not_found, "there is no schedule '" + name + "'"};
  return done{};
}

expected<std::vector<fired_schedule>> fire_schedules(connection& db, std::uint64_t term,
                                                     const std::vector<schedule_firing>& firings,
                                                     steady_time deadline) {
  array names(type::text), steps(type::int8), nexts(type::timestamptz), lasts(type::timestamptz), buffered(type::timestamptz),
      paused(type::boolean), places(type::int4), ids(type::uuid), instants(type::timestamptz), run_ats(type::timestamptz), options(type::jsonb),
      note_places(type::int4), froms(type::timestamptz), untils(type::timestamptz), counts(type::int8), reasons(type::text);
  std::unordered_map<uuid, task> made;
  std::int32_t place = 0;
  for (const auto& f : firings) {
    ++place;
    names.add(f.spec->name);
    steps.add(f.step);
    nexts.add(f.next.next_at);
    lasts.add(f.next.last_at);
    buffered.add(f.next.buffered);
    paused.add(f.next.paused);
    for (const auto& t : f.tasks) {
      const auto wanted = task_of_instant(*f.spec, t.id, t.instant, t.run_at);
      places.add(place);
      ids.add(t.id);
      instants.add(t.instant);
      run_ats.add(t.run_at);
      add_options(options, wanted.spec.options);
      made.emplace(t.id, make_task(wanted));
    }
    for (const auto& u : f.ledger) {
      note_places.add(place);
      froms.add(u.from);
      untils.add(u.until);
      counts.add(u.count);
      reasons.add(u.reason);
    }
  }
  parameters values;
  values.add(static_cast<std::int64_t>(term));
  for (auto* a : {&names, &steps, &nexts, &lasts, &buffered, &paused}) values.add(std::move(*a));
  values.add(time_zone::version());
  for (auto* a : {&places, &ids, &instants, &run_ats, &options, &note_places, &froms, &untils, &counts, &reasons}) values.add(std::move(*a));
  auto answer = db.run("fire_schedules", values, deadline, effect::write);
  if (!answer) return answer.failure();
  std::vector<fired_schedule> out(firings.size());
  std::unordered_map<uuid, task> stored;
  for (int row = 0; row < answer->count(); ++row) {
    if (!answer->null(row, 0)) {
      out.at(static_cast<std::size_t>(answer->int4(row, 0) - 1)).moved = true;
      continue;
    }
    auto& t = made.at(answer->uuid(row, 1));
    t.run_at = answer->timestamp(row, 2);
    t.created_at = answer->timestamp(row, 3);
    stored.emplace(t.id, std::move(t));
  }
  for (std::size_t i = 0; i < firings.size(); ++i)
    for (const auto& t : firings[i].tasks)
      if (const auto at = stored.find(t.id); at != stored.end()) out[i].tasks.push_back(std::move(at->second));
  return out;
}

} // namespace taskmaster::postgres
