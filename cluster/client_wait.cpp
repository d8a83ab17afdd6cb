#include "cluster/client_wait.hpp"

#include "cluster/client_commands.hpp"
#include "cluster/percent_encode.hpp"
#include "cluster/table_output.hpp"

#include <algorithm>
#include <set>
#include <thread>

namespace taskmaster {

using namespace std::chrono_literals;

namespace {

constexpr duration first_slice = 3s, slice = 20s;

/// Tells why the task does not run, unless `told` has it already. Silent when nobody knows.
void tell_why(http_client& client, const std::string& id, std::set<std::string>& told, std::ostream& err) {
  const auto answer = client.get("/v1/tasks/" + percent_encode(id) + "/explain", 5s);
  const auto json = answer.good() ? answer_json::parse(answer.body, nullptr, false) : answer_json();
  if (!json.is_object() || !json.contains("reasons") || !json["reasons"].is_array()) return;
  for (const auto& reason : json["reasons"]) {
    const auto code = text_of(reason, "code");
    if (code == "running" || code == "finished" || !told.insert(code).second) continue;
    err << "taskmaster: still waiting (" << one_line(code, 32) << "): " << one_line(text_of(reason, "detail"), 300) << std::endl;
  }
}

} // namespace

wait_outcome wait_for_task(http_client& client, const std::string& id, std::optional<duration> limit, std::ostream& err) {
  constexpr auto borne = 60s;
  const auto begin = std::chrono::steady_clock::now();
  auto last_good = begin;
  bool ever_reached = false;
  wait_outcome outcome;
  std::set<std::string> told;
  for (auto ask = first_slice;; ask = slice) {
    if (limit) {
      const auto spent = std::chrono::duration_cast<duration>(std::chrono::steady_clock::now() - begin);
      ask = std::clamp(*limit - spent, duration(0), ask);
    }
    const auto answer = client.get("/v1/tasks/" + percent_encode(id) + "/wait?timeout=" + percent_encode(format_duration(ask)), 30s);
    const auto now = std::chrono::steady_clock::now();
    if (answer.good()) {
      outcome.task = read_answer(client, answer, err);
      if (!outcome.task) {
        outcome.exit_code = exit_codes::failed;
        return outcome;
      }
      outcome.finished = finished_state(text_of(*outcome.task, "state"));
      if (outcome.finished) return outcome;
      ever_reached = true;
      last_good = now;
      if (text_of(*outcome.task, "state") != "running") tell_why(client, id, told, err);
    } else {
      // Before the first good answer a dead address is more likely than a restart.
      const bool passing = answer.reached() ? answer.status == 429 || answer.status == 503 : ever_reached;
      if (!passing || now - last_good > borne) {
        outcome.task.reset();
        outcome.exit_code = report_failure(client, answer, err);
        return outcome;
      }
      ever_reached = ever_reached || answer.reached();
      std::this_thread::sleep_for(std::clamp<std::chrono::seconds>(answer.retry_after.value_or(1s), 1s, 5s));
    }
    if (limit && now - begin >= *limit) {
      if (!outcome.task) outcome.exit_code = answer.good() ? exit_codes::failed : report_failure(client, answer, err);
      return outcome;
    }
  }
}

} // namespace taskmaster
