// Graphs: stored in one call, told of ends page by page.
#include "schema/graph.hpp"
#include "schema/postgres_parts.hpp"
#include "schema/postgres_queries.hpp"

#include <numeric>
#include <unordered_map>
#include <unordered_set>

namespace taskmaster::postgres {

namespace {

/// The arrays of edges, with what can be counted of them here.
struct edge_arrays {
  array places{type::int4}, parent_places{type::int4}, parents{type::uuid}, on_finished{type::boolean}, otherwises{type::text};
  array group_places{type::int4}, groups{type::text}, group_on_finished{type::boolean}, group_otherwises{type::text};
  std::vector<std::int32_t> waits_for;
  std::vector<bool> followed;

  explicit edge_arrays(const std::vector<new_task>& rows) : waits_for(rows.size()), followed(rows.size()) {
    std::unordered_map<uuid, std::int32_t> place; // counted from 1, as arrays are
    for (std::size_t i = 0; i < rows.size(); ++i) place.emplace(rows[i].id, static_cast<std::int32_t>(i + 1));
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (const auto& e : rows[i].after) add(static_cast<std::int32_t>(i + 1), e, place);
  }

private:
  void add(std::int32_t row, const edge& e, const std::unordered_map<uuid, std::int32_t>& place) {
    const bool any_end = e.on == awaited_end::finished;
    if (!e.group.empty()) {
      group_places.add(row);
      groups.add(e.group);
      group_on_finished.add(any_end);
      group_otherwises.add(to_string(e.otherwise));
      return;
    }
    places.add(row);
    on_finished.add(any_end);
    otherwises.add(to_string(e.otherwise));
    ++waits_for[static_cast<std::size_t>(row - 1)];
    if (const auto inside = place.find(e.parent); inside != place.end()) {
      parent_places.add(inside->second);
      parents.add_null();
      followed[static_cast<std::size_t>(inside->second - 1)] = true;
    } else {
      parent_places.add_null();
      parents.add(e.parent);
    }
  }
};

std::vector<inserted> refuse_all(std::vector<inserted> answers, const error& why) {
  for (auto& a : answers) a.refused = why;
  return answers;
}

std::vector<inserted> refuse_for(std::vector<inserted> answers, std::size_t culprit, error why) {
  answers = refuse_all(std::move(answers), error{ec::unprocessable, "it was refused with its graph: " + why.message});
  answers[culprit].refused = std::move(why);
  return answers;
}

} // namespace

expected<std::vector<inserted>> insert_graph(connection& db, std::set<std::string>& known_queues,
                                             const std::vector<new_task>& rows, steady_time deadline) {
  std::vector<new_task> kept;
  std::vector<inserted> answers(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    kept.push_back(rows[i]);
    if (!rows[i].after.empty()) kept[i].spec = held_back(std::move(kept[i].spec));
    answers[i].task = make_task(kept[i]);
  }
  std::vector<std::size_t> all(rows.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  auto p = insert_arguments(kept, all, true);
  edge_arrays edges(rows);
  array waits_for(type::int4), followed(type::boolean);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    edges.waits_for[i] ? waits_for.add(edges.waits_for[i]) : waits_for.add_null();
    edges.followed[i] ? followed.add(true) : followed.add_null();
  }
  p.add(std::move(waits_for)).add(std::move(followed));
  p.add(std::move(edges.places)).add(std::move(edges.parent_places)).add(std::move(edges.parents));
  p.add(std::move(edges.on_finished)).add(std::move(edges.otherwises));
  p.add(std::move(edges.group_places)).add(std::move(edges.groups)).add(std::move(edges.group_on_finished)).add(std::move(edges.group_otherwises));
  p.add(static_cast<std::int64_t>(limits::edges));

  const auto stored = db.run("insert_graph", p, deadline, effect::write);
  if (!stored) {
    const auto& fault = stored.failure();
    const auto& state = db.sqlstate();
    if (state == "55P03" || state == "40P01" || state == "40001") {
      error busy{ec::unavailable, "an open transaction holds the key of a task of this graph; try again"};
      busy.retry_after = std::chrono::seconds(1);
      return refuse_all(std::move(answers), busy);
    }
    if (state == "TM004") return refuse_all(std::move(answers), {ec::unprocessable, fault.message});
    if (state == "23505") return refuse_all(std::move(answers), {ec::conflict, "a task with an id of this graph exists"});
    if (fault.code == ec::invalid_argument)
      return refuse_all(std::move(answers), {ec::invalid_argument, "the database does not take this graph: " + fault.message});
    return fault;
  }
  const auto& r = *stored;
  if (r.count() == 1 && r.text(0, 1) == "no_parent") {
    const auto culprit = static_cast<std::size_t>(r.int4(0, 0) - 1);
    return refuse_for(std::move(answers), culprit, unknown_parent(rows[culprit].spec, r.uuid(0, 2)));
  }
  if (r.count() == 1 && r.text(0, 1) == "too_many") {
    const auto culprit = static_cast<std::size_t>(r.int4(0, 0) - 1);
    return refuse_for(std::move(answers), culprit, too_many_edges());
  }
  for (int row = 0; row < r.count(); ++row) {
    auto& a = answers[static_cast<std::size_t>(r.int4(row, 0) - 1)];
    a.repeated = r.text(row, 1) == "repeated";
    a.task.id = r.uuid(row, 2);
    if (a.repeated) continue;
    a.task.run_at = r.timestamp(row, 3);
    a.task.created_at = r.timestamp(row, 4);
  }
  note_queues(db, known_queues, rows, answers, deadline);
  return answers;
}

expected<std::vector<edge>> read_awaits(connection& db, const uuid& id, std::size_t most, steady_time deadline) {
  const auto found = db.run("awaits", parameters().add(id).add(static_cast<std::int64_t>(most)), deadline, effect::read);
  if (!found) return found.failure();
  std::vector<edge> edges;
  for (int row = 0; row < found->count(); ++row)
    edges.push_back({found->uuid(row, 0), {}, found->boolean(row, 1) ? awaited_end::finished : awaited_end::succeeded,
                     parse_otherwise(found->text(row, 2)).value_or(otherwise_do::cancel)});
  return edges;
}

expected<follow_up_page> follow_up_ends(connection& db, std::uint64_t term, std::size_t most, steady_time deadline) {
  const auto found = db.run("follow_up",
                            parameters()
                                .add(static_cast<std::int64_t>(term))
                                .add(static_cast<std::int32_t>(most))
                                .add(static_cast<std::int64_t>(limits::page_bytes)),
                            deadline, effect::write);
  if (!found) return found.failure();
  follow_up_page page;
  const int flags = found->count() - 1;
  for (int row = 0; row < flags; ++row) page.released.push_back(read_task(*found, row, 2));
  page.more = flags >= 0 && found->boolean(flags, 0);
  page.edges = flags >= 0 && found->boolean(flags, 1);
  return page;
}

} // namespace taskmaster::postgres
