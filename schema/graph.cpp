#include "schema/graph.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <set>
#include <unordered_map>

namespace taskmaster {

namespace {

constexpr std::array<std::string_view, 2> ends{"succeeded", "finished"};
constexpr std::array<std::string_view, 3> otherwises{"cancel", "fail", "run"};
constexpr std::string_view decided = "dependency:"; // how `reason` begins when an end is decided

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& names, std::string_view text) {
  const auto at = std::find(names.begin(), names.end(), text);
  if (at == names.end()) return std::nullopt;
  return static_cast<Enum>(at - names.begin());
}

/// What people call a row.
std::string called(const std::vector<task_spec>& specs, std::size_t row) {
  const auto& ref = specs[row].options.ref;
  return ref.empty() ? "row " + std::to_string(row) : "\"" + ref + "\"";
}

class arranging {
public:
  arranging(const std::vector<task_spec>& specs, std::vector<std::optional<error>>& refused)
      : specs_(specs), refused_(refused), awaits_(specs.size()), root_(specs.size()), in_graph_(specs.size(), false) {}

  std::vector<std::vector<std::size_t>> run() {
    if (std::none_of(specs_.begin(), specs_.end(), [](const auto& s) { return !s.after.empty(); }) && !any_ref()) return {};
    std::iota(root_.begin(), root_.end(), std::size_t{0});
    name_rows();
    for (std::size_t row = 0; row < specs_.size(); ++row) look_up(row);
    if (edges_ > limits::edges) {
      const auto why = "the graphs of the request have " + std::to_string(edges_) + " edges; the limit is " + std::to_string(limits::edges);
      for (std::size_t row = 0; row < specs_.size(); ++row)
        if (in_graph_[row]) fault(row, "/after", "is one of too many: " + why);
    } else {
      find_cycles();
    }
    find_shared_keys();
    return parts();
  }

private:
  bool any_ref() const {
    return std::any_of(specs_.begin(), specs_.end(), [](const auto& s) { return !s.options.ref.empty(); });
  }

  /// The first fault of a row stays; the others come to light when it is mended.
  void fault(std::size_t row, std::string field, std::string detail) {
    if (refused_[row]) return;
    refused_[row] = error{ec::unprocessable, called(specs_, row) + ": " + field.substr(1) + " " + detail, {{std::move(field), std::move(detail)}}};
  }

  void name_rows() {
    for (std::size_t row = 0; row < specs_.size(); ++row) {
      const auto& o = specs_[row].options;
      if (!o.group.empty()) groups_[o.group].push_back(row);
      for (const auto& [field, key] : {std::pair{"/unique_key", specs_[row].unique_key}, std::pair{"/idempotency_key", specs_[row].idempotency_key}})
        if (!key.empty()) keys_[std::string(field) + " " + key].push_back(row);
      if (o.ref.empty()) continue;
      const auto [at, fresh] = refs_.emplace(o.ref, row);
      if (fresh) continue;
      join(row, at->second);
      fault(row, "/ref", "is that of row " + std::to_string(at->second) + " too; within a batch each row has its own");
    }
  }

  void look_up(std::size_t row) {
    const auto& after = specs_[row].after;
    for (std::size_t i = 0; i < after.size(); ++i) {
      const auto at = "/after/" + std::to_string(i);
      const auto& a = after[i];
      in_graph_[row] = true;
      if (!a.group.empty()) {
        const auto members = groups_.find(a.group);
        if (members == groups_.end()) {
          ++edges_;
          continue;
        }
        edges_ += members->second.size();
        if (edges_ > limits::edges) continue;
        for (const auto member : members->second)
          if (member != row) add(row, member);
        continue;
      }
      ++edges_;
      if (const auto found = refs_.find(a.task); found != refs_.end()) {
        if (found->second == row) fault(row, at, "names the task itself, which would never start");
        else add(row, found->second);
      } else if (!uuid::parse(a.task)) {
        fault(row, at, "is \"" + a.task + "\", which is neither the ref of a row of the same batch nor the id of a task");
      }
    }
  }

  void add(std::size_t row, std::size_t parent) {
    awaits_[row].push_back(parent);
    in_graph_[parent] = true;
    join(row, parent);
  }

  std::size_t root(std::size_t row) {
    while (root_[row] != row) row = root_[row] = root_[root_[row]];
    return row;
  }
  void join(std::size_t a, std::size_t b) { root_[root(a)] = root(b); }

  /// Depth first along what rows wait for; meeting a row of the path again closes a cycle, which is told with its names.
  void find_cycles() {
    enum : char { fresh, open, closed };
    std::vector<char> seen(specs_.size(), fresh);
    std::vector<std::pair<std::size_t, std::size_t>> path; // row, and the next of its edges
    for (std::size_t start = 0; start < specs_.size(); ++start) {
      if (seen[start] != fresh) continue;
      path.assign(1, {start, 0});
      seen[start] = open;
      while (!path.empty()) {
        auto& [row, next] = path.back();
        if (next == awaits_[row].size()) {
          seen[row] = closed;
          path.pop_back();
          continue;
        }
        const auto parent = awaits_[row][next++];
        if (seen[parent] == fresh) {
          seen[parent] = open;
          path.emplace_back(parent, 0);
        } else if (seen[parent] == open) {
          tell_cycle(path, parent);
        }
      }
    }
  }

  /// The later of two rows with one key would be the earlier one: a graph says so by its refs.
  void find_shared_keys() {
    for (const auto& [key, rows] : keys_)
      for (std::size_t i = 1; i < rows.size(); ++i)
        if (in_graph_[rows[i]] && root(rows[i]) == root(rows[0]))
          fault(rows[i], key.substr(0, key.find(' ')), "is that of row " + std::to_string(rows[0]) + " of the same graph");
  }

  void tell_cycle(const std::vector<std::pair<std::size_t, std::size_t>>& path, std::size_t again) {
    constexpr std::size_t told = 20;
    auto at = std::find_if(path.begin(), path.end(), [&](const auto& step) { return step.first == again; });
    std::string names;
    const auto length = static_cast<std::size_t>(path.end() - at);
    for (std::size_t n = 0; n < length; ++n, ++at) {
      if (n < told) names += called(specs_, at->first) + " waits for ";
      else if (n == told) names += "… (" + std::to_string(length - told) + " more) … ";
    }
    fault(again, "/after", "closes a cycle, in which none would ever start: " + names + called(specs_, again));
  }

  std::vector<std::vector<std::size_t>> parts() {
    std::unordered_map<std::size_t, std::size_t> culprit; // root -> the first row at fault
    for (std::size_t row = 0; row < specs_.size(); ++row)
      if (refused_[row]) culprit.emplace(root(row), row);
    std::unordered_map<std::size_t, std::vector<std::size_t>> by_root;
    std::vector<std::size_t> order;
    for (std::size_t row = 0; row < specs_.size(); ++row) {
      const auto r = root(row);
      if (const auto bad = culprit.find(r); bad != culprit.end()) {
        if (!refused_[row])
          refused_[row] = error{ec::unprocessable, "it was refused with its graph, in which row " + std::to_string(bad->second) +
                                                       " has a fault: " + refused_[bad->second]->message};
        continue;
      }
      if (!in_graph_[row]) continue;
      auto& rows = by_root[r];
      if (rows.empty()) order.push_back(r);
      rows.push_back(row);
    }
    std::vector<std::vector<std::size_t>> out;
    for (const auto r : order) out.push_back(std::move(by_root[r]));
    return out;
  }

  const std::vector<task_spec>& specs_;
  std::vector<std::optional<error>>& refused_;
  std::unordered_map<std::string, std::size_t> refs_;
  std::unordered_map<std::string, std::vector<std::size_t>> groups_, keys_;
  std::vector<std::vector<std::size_t>> awaits_; // rows that a row waits for
  std::vector<std::size_t> root_;                // of the row's graph, by union and find
  std::vector<bool> in_graph_;
  std::size_t edges_ = 0;
};

} // namespace

std::string_view to_string(awaited_end end) { return ends[static_cast<std::size_t>(end)]; }
std::optional<awaited_end> parse_awaited_end(std::string_view text) { return parse<awaited_end>(ends, text); }
std::string_view to_string(otherwise_do what) { return otherwises[static_cast<std::size_t>(what)]; }
std::optional<otherwise_do> parse_otherwise(std::string_view text) { return parse<otherwise_do>(otherwises, text); }

bool valid_ref(std::string_view text) {
  return !text.empty() && text.size() <= limits::name && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == ':' || c == '/';
  });
}

std::vector<std::vector<std::size_t>> arrange(const std::vector<task_spec>& specs, std::vector<std::optional<error>>& refused) {
  return arranging(specs, refused).run();
}

void resolve(std::vector<new_task>& rows) {
  std::unordered_map<std::string_view, uuid> refs;
  std::unordered_map<std::string_view, std::vector<uuid>> groups;
  for (const auto& row : rows) {
    if (!row.spec.options.ref.empty()) refs.emplace(row.spec.options.ref, row.id);
    if (!row.spec.options.group.empty()) groups[row.spec.options.group].push_back(row.id);
  }
  for (auto& row : rows) {
    std::set<uuid> named; // somebody may name a member of a group by its ref too: the first edge counts
    for (const auto& a : row.spec.after) {
      if (!a.group.empty()) {
        row.after.push_back({{}, a.group, a.on, a.otherwise});
        if (const auto members = groups.find(a.group); members != groups.end())
          for (const auto& id : members->second)
            if (id != row.id && named.insert(id).second) row.after.push_back({id, {}, a.on, a.otherwise});
        continue;
      }
      const auto found = refs.find(a.task);
      const auto id = found != refs.end() ? found->second : uuid::parse(a.task).value_or(uuid{});
      if (named.insert(id).second) row.after.push_back({id, {}, a.on, a.otherwise});
    }
  }
}

namespace {

/// How many graphs from this one on can be stored in one call: until one has members of a group that an earlier one waits for. In one call they
/// would see each other, and two that each wait for the other's group would wait for ever.
std::size_t stored_together(const std::vector<new_task>& rows, const std::vector<std::size_t>& sizes, std::size_t graph, std::size_t row) {
  std::set<std::string_view> awaited;
  for (std::size_t n = 0; graph + n < sizes.size(); ++n) {
    const auto end = row + sizes[graph + n];
    for (auto at = row; n && at < end; ++at)
      if (awaited.contains(rows[at].spec.options.group)) return n;
    for (; row < end; ++row)
      for (const auto& e : rows[row].after)
        if (!e.group.empty()) awaited.insert(e.group);
  }
  return sizes.size() - graph;
}

} // namespace

expected<std::vector<inserted>> insert_graphs(task_store& store, const std::vector<new_task>& rows, const std::vector<std::size_t>& sizes,
                                              task_store::timeout limit) {
  using clock = std::chrono::steady_clock;
  const auto until = clock::now() + limit;
  std::vector<inserted> answers;
  answers.reserve(rows.size());
  bool stored = false;
  std::optional<error> failed;
  const std::function<void(std::size_t, std::size_t, std::size_t, std::size_t)> store_part = [&](std::size_t graph, std::size_t graphs,
                                                                                                 std::size_t row, std::size_t count) {
    if (failed) return;
    const std::vector<new_task> part(rows.begin() + static_cast<std::ptrdiff_t>(row), rows.begin() + static_cast<std::ptrdiff_t>(row + count));
    const auto left = std::chrono::duration_cast<task_store::timeout>(until - clock::now());
    if (stored && left.count() <= 0) {
      error late{ec::exhausted, "the request has too many graphs with faults to try them all; send them in smaller requests"};
      for (const auto& r : part) {
        auto& a = answers.emplace_back();
        a.task = make_task(r);
        a.refused = late;
      }
      return;
    }
    auto answer = store.insert_graph(part, std::max(left, task_store::timeout(1)));
    if (!answer) {
      failed = answer.failure();
      if (stored && failed->code != ec::ambiguous) failed = error{ec::ambiguous, "only a part of the batch was stored: " + failed->message};
      return;
    }
    stored = true;
    const bool refused = std::any_of(answer->begin(), answer->end(), [](const inserted& a) { return a.refused.has_value(); });
    if (!refused || graphs == 1) {
      std::move(answer->begin(), answer->end(), std::back_inserter(answers));
      return;
    }
    const auto half = graphs / 2;
    const auto middle = std::accumulate(sizes.begin() + static_cast<std::ptrdiff_t>(graph), sizes.begin() + static_cast<std::ptrdiff_t>(graph + half), std::size_t{0});
    store_part(graph, half, row, middle);
    store_part(graph + half, graphs - half, row + middle, count - middle);
  };
  for (std::size_t graph = 0, row = 0; graph < sizes.size();) {
    const auto graphs = stored_together(rows, sizes, graph, row);
    const auto from = sizes.begin() + static_cast<std::ptrdiff_t>(graph);
    const auto count = std::accumulate(from, from + static_cast<std::ptrdiff_t>(graphs), std::size_t{0});
    store_part(graph, graphs, row, count);
    graph += graphs;
    row += count;
  }
  if (failed) return *failed;
  return answers;
}

error unknown_parent(const task_spec& row, const uuid& parent) {
  std::size_t place = 0;
  while (place < row.after.size() && uuid::parse(row.after[place].task) != parent) ++place;
  const auto why = "names task " + parent.str() + ", and there is no such task";
  return {ec::unprocessable, "after " + why, {{"/after/" + std::to_string(place), why}}};
}

error too_many_edges() {
  const auto why = "would have the graph wait for more than " + std::to_string(limits::edges) + " tasks, the limit of one request";
  return {ec::unprocessable, "after " + why, {{"/after", why}}};
}

task_spec held_back(task_spec spec) {
  spec.options.due = spec.run_at;
  spec.options.delay = spec.delay;
  spec.run_at = timestamp::max();
  spec.delay.reset();
  return spec;
}

timestamp due_after_wait(const task_options& options, timestamp now) {
  if (options.due) return std::max(*options.due, now);
  return now + options.delay.value_or(duration{0});
}

std::string fate_reason(task_state state, const uuid& parent, std::string_view parent_state) {
  return std::string(decided) + std::string(to_string(state)) + ":" + parent.str() + ":" + std::string(parent_state);
}

std::optional<fate> fate_of(const task& t) {
  if (!t.reason.starts_with(decided)) return std::nullopt;
  const auto text = std::string_view(t.reason).substr(decided.size());
  const auto first = text.find(':'), second = text.find(':', first + 1);
  fate out;
  out.state = parse_state(text.substr(0, first)).value_or(task_state::cancelled);
  if (first == text.npos || second == text.npos) return out;
  const auto parent = std::string(text.substr(first + 1, second - first - 1));
  const auto ended = std::string(text.substr(second + 1));
  out.detail = "it was to run after task " + parent + ", which " + (ended.empty() ? "is gone" : "ended " + ended);
  return out;
}

} // namespace taskmaster
