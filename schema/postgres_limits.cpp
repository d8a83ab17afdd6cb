// Queues' settings, and the windows that limits ask for: past the keys that have windows of their own, and theirs.
#include "schema/postgres_parts.hpp"
#include "schema/postgres_queries.hpp"

#include <algorithm>

namespace taskmaster::postgres {

namespace {

std::optional<rate_limit> read_rate(const rows& r, int row, int first) {
  if (r.null(row, first)) return std::nullopt;
  return rate_limit{r.int8(row, first), r.interval(row, first + 1), r.int8(row, first + 2)};
}

void add_rate(parameters& values, const std::optional<rate_limit>& rate) {
  if (rate)
    values.add(rate->limit).add(rate->period).add(rate->burst);
  else
    values.add_null().add_null().add_null();
}

array texts(const std::set<std::string>& names) {
  array out(type::text);
  for (const auto& name : names) out.add(name);
  return out;
}

std::int64_t number(std::size_t value) {
  return static_cast<std::int64_t>(
      std::min<std::size_t>(value, std::numeric_limits<std::int64_t>::max()));
}

} // namespace

expected<std::vector<queue_settings>> read_settings(connection& db, steady_time deadline) {
  auto found = db.run("queue_settings", {}, deadline, effect::read);
  if (!found) return found.failure();
  std::vector<queue_settings> all;
  for (int row = 0; row < found->count(); ++row) {
    auto name = found->text(row, 0);
    if (all.empty() || all.back().name != name) {
      auto& s = all.emplace_back();
      s.name = std::move(name);
      s.paused = found->boolean(row, 1);
      if (!found->null(row, 2)) s.concurrency = found->int8(row, 2);
      s.rate = read_rate(*found, row, 3);
      s.key_concurrency = found->int8(row, 6);
      s.key_rate = read_rate(*found, row, 7);
      s.weight = found->float8(row, 10);
    }
    if (!found->null(row, 11))
      (found->text(row, 11) == "kind" ? all.back().paused_kinds : all.back().paused_keys)
          .insert(found->text(row, 12));
  }
  return all;
}

expected<done> write_settings(connection& db, std::uint64_t term, const queue_settings& s,
                              steady_time deadline) {
  parameters values;
  values.add(static_cast<std::int64_t>(term)).add(s.name).add(s.paused).add(s.concurrency);
  add_rate(values, s.rate);
  values.add(s.key_concurrency);
  add_rate(values, s.key_rate);
  values.add(s.weight).add(texts(s.paused_kinds)).add(texts(s.paused_keys));
  auto answer = db.run("set_queue", values, deadline, effect::write);
  if (!answer) return answer.failure();
  return done{};
}

expected<window_page> load_past(connection& db, const bucket_key& bucket, const window_mark& after,
                                std::size_t rows, std::size_t bytes, const std::set<std::string>& keys,
                                std::size_t walk, steady_time deadline) {
  std::map<std::string, std::string> object;
  for (const auto& key : keys) object.emplace(key, "");
  parameters values;
  values.add(bucket.queue).add(bucket.kind).add(bucket.priority).add(after.run_at).add(after.id);
  values.add(number(rows)).add(number(std::max<std::size_t>(bytes, 1))).add(encode_jsonb(object)).add(number(walk));
  auto found = db.run("load_window_past", values, deadline, effect::read);
  if (!found) return found.failure();
  window_page page;
  if (found->count() == 0) return page; // nothing behind the mark
  const auto walked = found->int8(0, 0), passing = found->int8(0, 1);
  for (int row = 0; row < found->count() && !found->null(row, 4); ++row)
    page.tasks.push_back(read_task(*found, row, 4));
  if (static_cast<std::int64_t>(page.tasks.size()) < passing) {
    page.more = true; // cut by rows or bytes: complete up to the last one
  } else if (walked == number(walk)) {
    page.more = true;
    page.walked = window_mark{found->timestamp(0, 2), found->uuid(0, 3)};
  }
  return page;
}

expected<std::vector<window_page>> load_keys(connection& db, const std::vector<key_window>& windows,
                                             std::size_t most, std::size_t bytes, steady_time deadline) {
  array queues(type::text), kinds(type::text), priorities(type::int4), keys(type::text), times(type::timestamptz),
      ids(type::uuid);
  for (const auto& w : windows) {
    queues.add(w.bucket.queue);
    kinds.add(w.bucket.kind);
    priorities.add(w.bucket.priority);
    keys.add(w.key);
    times.add(w.after.run_at);
    ids.add(w.after.id);
  }
  parameters values;
  values.add(std::move(queues)).add(std::move(kinds)).add(std::move(priorities)).add(std::move(keys));
  values.add(std::move(times)).add(std::move(ids)).add(number(most)).add(number(std::max<std::size_t>(bytes, 1)));
  auto found = db.run("load_key_windows", values, deadline, effect::read);
  if (!found) return found.failure();
  std::vector<window_page> pages(windows.size());
  std::vector<std::int64_t> taken(windows.size());
  for (int row = 0; row < found->count(); ++row) {
    const auto place = static_cast<std::size_t>(found->int8(row, 0) - 1);
    pages.at(place).tasks.push_back(read_task(*found, row, 2));
    taken.at(place) = found->int8(row, 1);
  }
  for (std::size_t i = 0; i < pages.size(); ++i)
    pages[i].more = taken[i] == number(most) || number(pages[i].tasks.size()) < taken[i];
  return pages;
}

} // namespace taskmaster::postgres
