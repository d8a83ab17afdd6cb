// Graphs in memory: the rules of migrations/0008_graphs.sql.
#include "schema/graph.hpp"
#include "schema/memory_database.hpp"

#include <algorithm>

namespace taskmaster {

std::vector<inserted> memory_database::insert_graph(const std::vector<new_task>& rows) {
  std::vector<inserted> answers(rows.size());
  const auto refuse = [&](std::size_t culprit, error why) {
    for (auto& a : answers) a.refused = error{ec::unprocessable, "it was refused with its graph: " + why.message};
    answers[culprit].refused = std::move(why);
    return answers;
  };
  std::set<uuid> inside;
  for (const auto& r : rows) inside.insert(r.id);
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (const auto& e : rows[i].after) {
      if (e.group.empty() && !inside.contains(e.parent) && !find(e.parent)) return refuse(i, unknown_parent(rows[i].spec, e.parent));
      count += e.group.empty();
    }
  const auto members = [&](const std::string& group) {
    std::vector<uuid> ids;
    for (const auto& [id, r] : tasks)
      if (options_of(r.task.options).group == group) ids.push_back(id);
    return ids;
  };
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (const auto& e : rows[i].after)
      if (!e.group.empty() && (count += members(e.group).size()) > limits::edges) return refuse(i, too_many_edges());

  // Whole or not at all: on copies, put in place when every row has been taken.
  auto before = std::tuple{tasks, windows, by_xid, queues, unique_keys_, idempotency_keys_};
  std::map<uuid, uuid> first; // of a row whose key is taken, the task that has it
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto kept = rows[i];
    if (!kept.after.empty()) kept.spec = held_back(std::move(kept.spec));
    answers[i] = insert(kept);
    if (answers[i].refused) {
      std::tie(tasks, windows, by_xid, queues, unique_keys_, idempotency_keys_) = std::move(before);
      return refuse(i, *answers[i].refused);
    }
    if (answers[i].repeated) first[rows[i].id] = answers[i].task.id;
  }
  const auto connect = [&](const uuid& parent, const uuid& child, const edge& e) {
    if (parent == child || !edges_[parent].emplace(child, edge{parent, {}, e.on, e.otherwise}).second) return;
    parents_[child].insert(parent);
    ++tasks.at(child).waits_for;
    const auto at = tasks.find(parent);
    if (at != tasks.end() && inside.contains(parent)) at->second.followed = true;
    else follow_ups_.emplace(next_note_++, parent);
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (answers[i].repeated) continue;
    for (const auto& e : rows[i].after) {
      if (!e.group.empty()) {
        for (const auto& member : members(e.group)) connect(member, rows[i].id, e);
        continue;
      }
      const auto taken = first.find(e.parent);
      connect(taken == first.end() ? e.parent : taken->second, rows[i].id, e);
    }
    const auto at = tasks.find(rows[i].id);
    if (waits(at->second.task) && !at->second.waits_for) {
      auto r = take(at);
      r.task.run_at = due_after_wait(options_of(r.task.options), now());
      put(std::move(r));
    }
    answers[i].task = tasks.at(rows[i].id).task;
  }
  return answers;
}

std::vector<edge> memory_database::awaits(const uuid& id, std::size_t most) const {
  std::vector<edge> out;
  const auto at = parents_.find(id);
  if (at == parents_.end()) return out;
  for (const auto& parent : at->second) {
    if (out.size() == most) break;
    out.push_back(edges_.at(parent).at(id));
  }
  return out;
}

void memory_database::release(std::map<uuid, row>::iterator at, timestamp run_at, std::string reason, follow_up_page& page) {
  auto r = take(at);
  r.waits_for = 0;
  r.task.run_at = run_at;
  r.task.reason = std::move(reason);
  page.released.push_back(r.task);
  put(std::move(r));
}

void memory_database::settle(const uuid& child, const settled_edges& edges, follow_up_page& page) {
  const auto at = tasks.find(child);
  if (at == tasks.end() || !at->second.waits_for) return; // it was cancelled, or put back to work by hand
  if (edges.bad) {
    release(at, at->second.task.created_at, fate_reason(edges.bad->first, edges.bad->second, edges.bad_state), page);
    return;
  }
  at->second.waits_for -= edges.count;
  if (at->second.waits_for <= 0) release(at, due_after_wait(options_of(at->second.task.options), now()), at->second.task.reason, page);
}

follow_up_page memory_database::follow_up(std::size_t most) {
  follow_up_page page;
  std::map<uuid, settled_edges> children;
  std::size_t room = most;
  std::vector<std::uint64_t> done;
  for (const auto& [number, parent] : follow_ups_) {
    if (!room) break;
    if (const auto at = tasks.find(parent); at != tasks.end()) {
      at->second.followed = true;
      done.push_back(number);
      continue;
    }
    const auto found = history.find(parent);
    const auto state = found == history.end() ? std::string() : std::string(to_string(found->second.state));
    const auto of_parent = edges_.find(parent);
    while (of_parent != edges_.end() && room && !of_parent->second.empty()) {
      const auto [child, e] = *of_parent->second.begin();
      of_parent->second.erase(of_parent->second.begin());
      if (auto& rest = parents_[child]; rest.erase(parent) && rest.empty()) parents_.erase(child);
      --room;
      auto& c = children[child];
      ++c.count;
      if (e.on == awaited_end::finished || state == "succeeded" || e.otherwise == otherwise_do::run) continue;
      const auto end = e.otherwise == otherwise_do::fail ? task_state::failed : task_state::cancelled;
      const bool worse = !c.bad || end == task_state::failed;
      const auto culprit = c.bad ? std::min(c.bad->second, parent) : parent;
      if (culprit == parent) c.bad_state = state;
      c.bad = {worse ? end : c.bad->first, culprit};
    }
    if (of_parent != edges_.end() && of_parent->second.empty()) edges_.erase(of_parent);
    if (!edges_.contains(parent)) done.push_back(number);
  }
  for (const auto number : done) follow_ups_.erase(number);
  for (const auto& [child, edges] : children) settle(child, edges, page);
  std::vector<uuid> expired;
  for (const auto& [id, r] : tasks)
    if (r.waits_for && r.task.expires_at && *r.task.expires_at <= now()) expired.push_back(id);
  for (const auto& id : expired) release(tasks.find(id), tasks.at(id).task.created_at, fate_reason(task_state::expired, {}, ""), page);
  page.more = !follow_ups_.empty();
  page.edges = !edges_.empty();
  return page;
}

} // namespace taskmaster
