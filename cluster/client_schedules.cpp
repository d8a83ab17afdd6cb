#include "cluster/client_schedules.hpp"

#include "cluster/client_submit.hpp"
#include "cluster/percent_encode.hpp"
#include "cluster/table_output.hpp"

#include <fstream>
#include <iterator>

namespace taskmaster {
namespace {

using verb = schedule_options::verb;

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

/// The definition that the flags describe; the failure names the flag.
expected<std::string> body_of(const client_request& request, std::istream& in) {
  const auto& o = request.schedule;
  if (o.file) {
    if (*o.file == "-") return std::string(std::istreambuf_iterator<char>(in), {});
    std::ifstream file(*o.file, std::ios::binary);
    if (!file) return error(ec::invalid_argument, "--file: cannot read " + *o.file);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  answer_json body = answer_json::object();
  const std::pair<const char*, const std::optional<std::string>*> fields[] = {
      {"cron", &o.cron},           {"every", &o.every},     {"anchor", &o.anchor},   {"rrule", &o.rrule},     {"timezone", &o.timezone}, {"jitter", &o.jitter},
      {"starts_at", &o.starts_at}, {"ends_at", &o.ends_at}, {"overlap", &o.overlap}, {"misfire", &o.misfire}, {"misfire_window", &o.misfire_window}};
  for (const auto& [name, value] : fields)
    if (*value) body[name] = **value;
  if (o.dst_gap) body["dst"]["gap"] = *o.dst_gap;
  if (o.dst_overlap) body["dst"]["overlap"] = *o.dst_overlap;
  if (o.paused) body["paused"] = true;
  auto task = task_body(request.submit, in);
  if (!task) return task.failure();
  auto text = body.dump(-1, ' ', false, answer_json::error_handler_t::replace);
  text.insert(text.size() - 1, (body.empty() ? "\"task\":" : ",\"task\":") + *task); // as it stands: numbers keep their digits
  return text;
}

std::string when_of(const answer_json& s) {
  for (const char* name : {"cron", "every", "rrule"})
    if (auto text = text_of(s, name); !text.empty()) return (name == std::string("every") ? "every " : "") + text;
  return "-";
}

void print_schedules(std::ostream& out, std::ostream& err, const answer_json& schedules) {
  table rows({"NAME", "WHEN", "ZONE", "PAUSED", "NEXT", "LAST", "OVERLAP", "KIND", "QUEUE", ">VERSION"});
  for (const auto& s : schedules) {
    const auto task = s.value("task", answer_json::object());
    rows.add({text_of(s, "name"), one_line(when_of(s)), text_of(s, "timezone"), text_of(s, "paused") == "true" ? "yes" : "no", or_dash(text_of(s, "next_at")),
              or_dash(text_of(s, "last_at")), text_of(s, "overlap"), text_of(task, "kind"), text_of(task, "queue"), text_of(s, "version")});
  }
  rows.print(out);
  for (const auto& s : schedules)
    if (const auto all = s.find("warnings"); all != s.end() && all->is_array())
      for (const auto& w : *all) err << "taskmaster: " << text_of(s, "name") << ": " << one_line(shown(w), 300) << '\n';
}

void print_ledger(std::ostream& out, const answer_json& ledger) {
  table rows({"INSTANT", "REASON", ">COUNT", "UNTIL", "DECIDED"});
  for (const auto& r : ledger)
    rows.add({text_of(r, "instant"), text_of(r, "reason"), text_of(r, "count"), text_of(r, "count") == "1" ? "" : text_of(r, "until"), text_of(r, "decided_at")});
  rows.print(out);
}

service_answer ask(http_client& client, const schedule_options& o, const std::string& body) {
  const std::string path = "/v1/schedules" + (o.what == verb::list ? std::string() : "/" + percent_encode(o.name));
  const auto page = "?limit=" + std::to_string(o.limit) + (o.cursor.empty() ? "" : "&cursor=" + percent_encode(o.cursor));
  switch (o.what) {
  case verb::put: return client.put(path, body);
  case verb::get: return client.get(path);
  case verb::list: return client.get(path + page);
  case verb::remove: return client.remove(path);
  case verb::pause: return client.post(path + "/pause", "{}");
  case verb::resume: return client.post(path + "/resume", "{}");
  case verb::trigger: return client.post(path + "/trigger", body);
  case verb::backfill: return client.post(path + "/backfill", body);
  case verb::preview: return client.get(path + "/preview?count=" + std::to_string(o.count));
  default: return client.get(path + "/ledger" + page);
  }
}

} // namespace

int run_schedule(http_client& client, const client_request& request, std::istream& in, std::ostream& out, std::ostream& err) {
  const auto& o = request.schedule;
  std::string body;
  if (o.what == verb::put) {
    const auto text = body_of(request, in);
    if (!text) {
      err << "taskmaster: " << text.failure().message << '\n';
      return exit_codes::usage;
    }
    body = *text;
  } else {
    answer_json run = answer_json::object();
    if (o.what == verb::backfill) run = {{"from", o.from}, {"until", o.until}};
    if (o.allow_overlap) run["overlap"] = "allow";
    body = run.dump(-1, ' ', false, answer_json::error_handler_t::replace);
  }
  const auto answer = ask(client, o, body);
  if (!answer.good()) return report_failure(client, answer, err);
  const auto read = read_answer(client, answer, err);
  if (!read) return exit_codes::failed;
  if (request.json()) {
    print_json(out, *read);
    return exit_codes::done;
  }
  const auto list = [&](const char* name) {
    const auto at = read->find(name);
    return at != read->end() && at->is_array() ? *at : answer_json::array();
  };
  switch (o.what) {
  case verb::list: print_schedules(out, err, list("schedules")); break;
  case verb::ledger: print_ledger(out, list("ledger")); break;
  case verb::remove: out << "deleted\n"; break;
  case verb::trigger: out << text_of(*read, "id") << '\n'; break;
  case verb::backfill: out << text_of(*read, "submitted") << " of " << text_of(*read, "matched") << " instants got a task\n"; break;
  case verb::preview:
    for (const auto& t : list("instants")) out << shown(t) << '\n';
    for (const auto& w : list("warnings")) err << "taskmaster: " << one_line(shown(w), 300) << '\n';
    break;
  default: print_schedules(out, err, answer_json::array({*read}));
  }
  if (const auto cursor = text_of(*read, "next_cursor"); !cursor.empty()) err << "taskmaster: there are more: --cursor " << cursor << '\n';
  return exit_codes::done;
}

} // namespace taskmaster
