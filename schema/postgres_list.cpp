// Pages of tasks. The text is made for the filter, since one statement for all filters would have one plan
// for all.
#include "schema/postgres_parts.hpp"
#include "schema/postgres_queries.hpp"

#include <algorithm>

namespace taskmaster::postgres {

namespace {

/// What a row adds to its page: the parts that vary, and an allowance for the others.
constexpr const char* live_weight =
    "octet_length(t.payload) + coalesce(octet_length(t.labels::text), 0) + 512";
constexpr const char* old_weight =
    "octet_length(t.payload) + coalesce(octet_length(t.labels::text), 0) + 512 + "
    "coalesce(octet_length(t.result), 0) + coalesce(octet_length(t.error_message), 0)";
constexpr int taken_column = task_columns + outcome_columns + 1;

/// Conditions that both tables share, and their parameters.
class conditions {
public:
  template <class T>
  void add(const std::string& left, const T& value, const std::string& cast) {
    values.add(value);
    text += " AND " + left + " $" + std::to_string(values.values().size()) + cast;
  }
  std::string text;
  parameters values;
};

} // namespace

expected<task_page> list_tasks(connection& db, const task_filter& filter, steady_time deadline) {
  conditions where;
  if (!filter.cursor.empty()) {
    auto last = uuid::parse(filter.cursor);
    if (!last)
      return error{ec::invalid_argument,
                   "the cursor is not one of a page before",
                   {{"/cursor", "take next_cursor of the page before"}}};
    where.add("t.id <", *last, "::uuid");
  }
  if (!storable_text(filter.queue) || !storable_text(filter.kind) || !storable_text(filter.group) ||
      !storable_text(filter.reason))
    return error{ec::invalid_argument, "a filter has to be UTF-8 text without NUL"};
  if (!filter.queue.empty()) where.add("t.queue =", filter.queue, "::text");
  if (!filter.reason.empty()) where.add("t.reason =", filter.reason, "::text");
  if (!filter.kind.empty()) where.add("t.kind =", filter.kind, "::text");
  if (!filter.group.empty()) where.add("t.options ->> 'group' =", filter.group, "::text");
  if (!filter.labels.empty()) {
    where.values.add(std::string_view(encode_jsonb(filter.labels)));
    where.text += " AND t.labels @> $" + std::to_string(where.values.values().size()) + "::jsonb";
  }
  if (!filter.ids.empty()) {
    array ids(type::uuid);
    for (const auto& id : filter.ids) ids.add(id);
    where.values.add(std::move(ids));
    where.text += " AND t.id = ANY ($" + std::to_string(where.values.values().size()) + "::uuid[])";
  }

  bool live = true, old = true;
  std::string live_state, old_state;
  if (filter.state) {
    switch (*filter.state) {
    case task_state::scheduled: live_state = " AND t.run_at > clock_timestamp()"; break;
    case task_state::ready: live_state = " AND t.run_at <= clock_timestamp()"; break;
    case task_state::running: live = !filter.ids.empty(); break;
    default:
      // In the text, so that the index of what did not succeed can be seen to fit.
      old_state = " AND t.state = '" + std::string(to_string(*filter.state)) + "'";
    }
    old = finished(*filter.state);
    live = live && !old;
  }
  if (!live && !old) return task_page{};

  auto limit = std::clamp<std::size_t>(filter.limit, 1, limits::page);
  auto tail = " ORDER BY t.id DESC LIMIT " + std::to_string(limit + 1) + ")";
  // Cut by rows and bytes in the server, so that neither side ever holds more. `taken` is what was there
  // before the cut.
  std::string text = "SELECT * FROM (SELECT found.*, count(*) OVER () AS taken, row_number() OVER newest AS "
                     "place, sum(weight) OVER newest AS total FROM (";
  if (live)
    text += "(SELECT {task}, {unfinished}, " + std::string(live_weight) +
            " AS weight FROM taskmaster.tasks t WHERE true" + where.text + live_state + tail;
  if (live && old) text += " UNION ALL ";
  if (old)
    text += "(SELECT {task}, {finished}, " + std::string(old_weight) +
            " AS weight FROM taskmaster.task_history t WHERE true" + where.text + old_state + tail;
  text += ") AS found WINDOW newest AS (ORDER BY id DESC)) AS page WHERE place = 1 OR (place <= " +
          std::to_string(limit) + " AND total <= " + std::to_string(limits::page_bytes) +
          ") ORDER BY id DESC";

  auto found = db.run_text(with_columns(std::move(text)), where.values, deadline, effect::read);
  if (!found) return found.failure();
  task_page page;
  for (int row = 0; row < found->count(); ++row) page.tasks.push_back(read_record(*found, row, 0));
  if (found->count() > 0 && found->int8(0, taken_column) > found->count())
    page.next_cursor = page.tasks.back().task.id.str();
  return page;
}

} // namespace taskmaster::postgres
