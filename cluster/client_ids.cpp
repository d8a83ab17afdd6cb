#include "cluster/client_ids.hpp"

#include "cluster/client_answers.hpp"
#include "cluster/table_output.hpp"
#include "schema/uuid.hpp"

#include <vector>

namespace taskmaster {
namespace {

constexpr std::size_t shortest_part = 4; // less of an id fits too many
constexpr std::size_t most_hints = 5;

std::vector<std::string> ids_like(http_client& client, const std::string& part) {
  std::vector<std::string> found;
  if (part.size() < shortest_part) return found;
  const auto page = client.get("/v1/tasks?limit=1000", std::chrono::seconds(5));
  const auto json = page.good() ? answer_json::parse(page.body, nullptr, false) : answer_json();
  if (!json.is_object() || !json.contains("tasks")) return found;
  for (const auto& task : json["tasks"]) {
    const auto id = text_of(task, "id");
    if ((id.starts_with(part) || id.ends_with(part)) && found.size() < most_hints) found.push_back(id);
  }
  return found;
}

} // namespace

bool check_id(http_client& client, const std::string& id, std::ostream& err) {
  if (uuid::parse(id)) return true;
  err << "taskmaster: \"" << one_line(id, 64) << "\" is not a task's id, which has 36 characters";
  const auto found = ids_like(client, id);
  if (found.empty()) err << "; taskmaster list shows them\n";
  else if (found.size() == 1) err << "; did you mean " << found.front() << "?\n";
  else {
    err << "; did you mean one of these?\n";
    for (const auto& one : found) err << "  " << one << '\n';
  }
  return false;
}

} // namespace taskmaster
