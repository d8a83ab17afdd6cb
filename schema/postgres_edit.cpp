// The leader's changes of a waiting task, and what runs leave for the next.
#include "schema/postgres_parts.hpp"
#include "schema/postgres_queries.hpp"

namespace taskmaster::postgres {

expected<std::optional<task>> edit_task(connection& db, std::uint64_t term, const task_edition& what,
                                        steady_time deadline) {
  const auto& t = what.row;
  const auto text = [](parameters& p, const std::string& value) -> parameters& {
    return value.empty() ? p.add_null() : p.add(value);
  };
  parameters p;
  p.add(static_cast<std::int64_t>(term)).add(t.id).add(what.of.attempt).add(what.of.losses);
  p.add(t.queue).add(t.kind).add(t.priority).add(t.run_at);
  what.wait ? p.add(*what.wait) : p.add_null();
  p.add(*t.payload).add(t.timeout);
  t.expires_at ? p.add(*t.expires_at) : p.add_null();
  p.add(t.max_attempts).add(t.retry.initial).add(t.retry.factor).add(t.retry.max).add(t.retry.jitter);
  p.add(t.delivery == delivery_mode::at_most_once);
  text(p, t.concurrency_key);
  p.add(what.labels.has_value());
  what.labels && !what.labels->empty() ? p.add(std::string_view(encode_jsonb(*what.labels))) : p.add_null();
  const auto options = to_json(options_of(t.options));
  options.empty() ? p.add_null() : p.add(std::string_view("\1" + options));
  auto found = db.run("edit_task", p, deadline, effect::write);
  if (!found) return found.failure();
  if (found->count() == 0) return std::optional<task>{};
  return std::optional{read_task(*found, 0, 0)};
}

expected<done> write_checkpoints(connection& db, std::uint64_t term, const std::vector<kept_checkpoint>& all,
                                 steady_time deadline) {
  for (std::size_t start = 0; start < all.size();) {
    array ids(type::uuid), attempts(type::int4), losses(type::int4), data(type::bytea);
    std::size_t bytes = 0;
    for (const auto begin = start; start < all.size() && start - begin < statement_rows && bytes < statement_bytes; ++start) {
      const auto& c = all[start];
      ids.add(c.id);
      attempts.add(c.version.attempt);
      losses.add(c.version.losses);
      c.json ? data.add(*c.json) : data.add_null();
      bytes += c.json ? c.json->size() : 0;
    }
    parameters p;
    p.add(static_cast<std::int64_t>(term)).add(std::move(ids)).add(std::move(attempts)).add(std::move(losses)).add(std::move(data));
    if (auto kept = db.run("keep_checkpoints", p, deadline, effect::write); !kept) return kept.failure();
  }
  return done{};
}

} // namespace taskmaster::postgres
