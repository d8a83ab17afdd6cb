// Tasks that wait for others, that are changed while they wait, and what a run leaves for the next.
#include "schema/graph.hpp"
#include "tests/simulate/books.hpp"

#include <algorithm>

namespace taskmaster::simulate {

void books::stored_graph(const std::vector<new_task>& wanted, const std::vector<inserted>& rows) {
  std::map<uuid, uuid> first; // of a row whose key is taken, the task that has it
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stored(wanted[i], rows[i]);
    if (rows[i].repeated) first[wanted[i].id] = rows[i].task.id;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].refused || rows[i].repeated) continue;
    const auto& id = rows[i].task.id;
    auto& e = at(id);
    for (const auto& x : wanted[i].after) {
      std::vector<uuid> parents;
      if (x.group.empty()) parents.push_back(first.contains(x.parent) ? first[x.parent] : x.parent);
      else
        for (const auto& [other, o] : tasks_)
          if (o.stored && !o.finished && o.group == x.group) parents.push_back(other);
      for (const auto& parent : parents) {
        const bool known = parent == id || std::any_of(e.waits_for.begin(), e.waits_for.end(), [&](const edge& k) { return k.parent == parent; });
        if (!known) e.waits_for.push_back({parent, {}, x.on, x.otherwise});
      }
    }
    e.waiting = !e.waits_for.empty();
    graphs_ += e.waiting;
    std::string names;
    for (const auto& x : e.waits_for) names += " " + x.parent.str().substr(24);
    if (e.waiting) world_.tell(id, "it waits for" + names);
    if (e.waiting != waits(e.row)) fault(broken::graph, id, "whether it waits for others is stored otherwise");
  }
}

void books::released(const task& row) {
  auto& e = at(row.id);
  const auto fate = fate_of(row);
  world_.tell(row.id, fate ? "committed: it shall end " + std::string(to_string(fate->state)) + ", " + fate->detail : "committed: it waits no more");
  if (!e.waiting) fault(broken::graph, row.id, "it was released, and does not wait");
  e.waiting = false;
  e.row = row;
  const auto ended_well = [&](const edge& x) {
    const auto& ends = at(x.parent).ends;
    return x.on == awaited_end::finished || x.otherwise == otherwise_do::run ? !ends.empty() : ends.contains(task_state::succeeded);
  };
  const auto ended_badly = [&](const edge& x) {
    const auto& ends = at(x.parent).ends;
    return x.on == awaited_end::succeeded && x.otherwise != otherwise_do::run && std::any_of(ends.begin(), ends.end(), [](task_state s) { return s != task_state::succeeded; });
  };
  if (!fate && !std::all_of(e.waits_for.begin(), e.waits_for.end(), ended_well))
    fault(broken::graph, row.id, "it was released before what it waits for has ended so");
  if (fate && fate->state != task_state::expired && std::none_of(e.waits_for.begin(), e.waits_for.end(), ended_badly))
    fault(broken::graph, row.id, "it shall not run, and nothing that it waits for has ended so");
}

void books::edited(const task_edition& what, const task& row) {
  auto& e = at(row.id);
  const bool again = version_of(e.row) == task_version{what.of.attempt + 1, what.of.losses};
  world_.tell(row.id, std::string("committed: it is changed, attempt ") + std::to_string(row.attempt) + (again ? " (asked again)" : ""));
  if (e.finished) fault(broken::recorded_twice, row.id, "it was changed after its end");
  if (e.held && !e.held->done && e.held->term == term_ && !again) fault(broken::stale_applied, row.id, "it was changed while it was handed out as the run " + e.held->what.fence.str());
  if (again) return;
  ++edits_;
  e.row = row;
  e.editions.insert(*row.payload);
  e.held.reset();
  held_.erase(row.id);
}

void books::told_changed(const uuid& id, const std::string& payload) {
  world_.tell(id, "a client is told that it is changed to " + payload);
  if (!at(id).editions.contains(payload)) fault(broken::unrecorded, id, "a client was told that it is changed, and that was never committed");
}

void books::kept(const kept_checkpoint& c) {
  auto& e = at(c.id);
  if (!c.json) e.checkpoint.clear();
  else if (!e.finished && version_of(e.row) == c.version) e.checkpoint = *c.json;
}

/// What is handed out is the task as it was committed last.
void books::check_handed(const assignment& a, const entry& e) {
  const auto& id = a.what.what.task;
  if (e.waiting) fault(broken::graph, id, "it was handed out while it waits for others");
  if (*a.payload != *e.row.payload) fault(broken::stale_applied, id, "it was handed out with another payload than was committed last");
  if (!e.checkpoint.empty() && (!a.checkpoint || *a.checkpoint != e.checkpoint))
    fault(broken::forgotten, id, "it was handed out without its checkpoint " + e.checkpoint);
}

} // namespace taskmaster::simulate
