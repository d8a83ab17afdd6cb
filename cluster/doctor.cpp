#include "cluster/doctor.hpp"

#include "cluster/client_answers.hpp"
#include "cluster/client_commands.hpp"
#include "cluster/percent_encode.hpp"
#include "cluster/private_postgres.hpp"
#include "cluster/table_output.hpp"
#include "schema/checkup.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace taskmaster {
namespace {

using grade = finding::type;

std::string database_of(const doctor_options& o) {
  if (!o.database.empty()) return o.database;
  const auto data = o.data.empty() ? default_data_folder() : std::filesystem::path(o.data);
  std::error_code ignored;
  if (std::filesystem::exists(data / "socket", ignored))
    return "postgresql://taskmaster@/taskmaster?host=" + percent_encode((std::filesystem::absolute(data) / "socket").string());
  return "";
}

/// What runs has to be in the hands of a worker with a session; both lists are the leader's, asked one after the other.
void look_at_runs(http_client& client, std::ostream& err, std::vector<finding>& out) {
  const auto running = client.get("/v1/tasks?state=running&limit=1000"), workers = client.get("/v1/workers");
  if (!running.good() || !workers.good()) {
    out.push_back({grade::warn, "runs", "the leader could not be asked who runs what", "look at the leader above"});
    return;
  }
  const auto tasks = read_answer(client, running, err), there = read_answer(client, workers, err);
  if (!tasks || !there) return;
  std::set<std::string> names;
  std::size_t slots = 0;
  for (const auto& w : (*there)["workers"]) {
    names.insert(text_of(w, "name"));
    slots += w.value("slots", 0u);
  }
  std::vector<std::string> orphans;
  for (const auto& t : (*tasks)["tasks"])
    if (!names.contains(text_of(t, "worker"))) orphans.push_back(text_of(t, "id"));
  if (!orphans.empty())
    out.push_back({grade::warn, "runs", std::to_string(orphans.size()) + " running tasks are on no worker that is listed, such as " + orphans.front(),
                   "a worker may just have left; ask again in ten seconds, and if it stays: taskmaster explain " + orphans.front()});
  else
    out.push_back({names.empty() ? grade::note : grade::good, "runs",
                   "running tasks: " + std::to_string((*tasks)["tasks"].size()) + (text_of(*tasks, "next_cursor").empty() ? "" : " or more") + ", workers: " + std::to_string(names.size()) + ", slots: " + std::to_string(slots),
                   names.empty() ? "no worker is there: tasks wait until one comes" : ""});
}

void look_at_service(const doctor_options& o, std::ostream& err, std::vector<finding>& out) {
  http_client client(o.server);
  const auto ready = client.get("/readyz", std::chrono::seconds(10));
  if (!ready.reached()) {
    out.push_back({grade::note, "service", "no service answers at " + client.where() + ": " + ready.fault, "name it by --server, or start one"});
    return;
  }
  if (!ready.good()) {
    out.push_back({grade::bad, "service", client.where() + " is not ready: " + one_line(ready.body, 200), "look into its log"});
    return;
  }
  out.push_back({grade::good, "service", client.where() + " takes tasks", ""});
  look_at_runs(client, err, out);
}

void print(std::ostream& out, const std::vector<finding>& findings) {
  for (const auto& f : findings) {
    out << (f.grade == grade::good ? "  ok    " : f.grade == grade::note ? "  note  " : f.grade == grade::warn ? "! warn  " : "X BAD   ");
    out << f.check << std::string(f.check.size() < 10 ? 10 - f.check.size() : 1, ' ') << f.detail << '\n';
    if (!f.advice.empty()) out << "                  → " << f.advice << '\n';
  }
}

} // namespace

void add_doctor_command(CLI::App& app, doctor_options& o) {
  auto* c = app.add_subcommand("doctor", "Look at database and service, say what is wrong and what to do; changes nothing");
  c->group("Client commands");
  c->add_option("--database", o.database, "PostgreSQL as a libpq URI (default: the one of `up` on this machine)")->envname("TASKMASTER_DATABASE,DATABASE_URL");
  c->add_option("--data", o.data, "data folder of `up`")->envname("TASKMASTER_DATA");
  c->add_option("--server", o.server, "where the service answers HTTP")->envname("TASKMASTER_SERVER")->capture_default_str();
  c->add_option("--output", o.output, "table or json")->envname("TASKMASTER_OUTPUT")->check(CLI::IsMember({"table", "json"}))->capture_default_str();
  c->callback([&o] { o.chosen = true; });
}

int run_doctor(const doctor_options& o, std::ostream& out, std::ostream& err) {
  const auto url = database_of(o);
  if (url.empty()) {
    err << "taskmaster: no database: give --database or DATABASE_URL, or --data of a running `taskmaster up`\n";
    return exit_codes::usage;
  }
  auto findings = check_up(url, std::chrono::seconds(10));
  if (!findings) {
    err << "taskmaster: the database cannot be looked at: " << findings.failure().message << '\n';
    return exit_codes::unreachable;
  }
  look_at_service(o, err, *findings);
  const bool bad = std::any_of(findings->begin(), findings->end(), [](const finding& f) { return f.grade == grade::bad; });
  if (o.output == "json") {
    answer_json json{{"healthy", !bad}, {"findings", answer_json::array()}};
    for (const auto& f : *findings)
      json["findings"].push_back({{"grade", to_string(f.grade)}, {"check", f.check}, {"detail", f.detail}, {"advice", f.advice}});
    print_json(out, json);
  } else {
    print(out, *findings);
  }
  return bad ? exit_codes::failed : exit_codes::done;
}

} // namespace taskmaster
