#include "cluster/client_events.hpp"

#include "cluster/client_commands.hpp"
#include "cluster/percent_encode.hpp"

#include <iomanip>
#include <thread>

namespace taskmaster {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 45s; // three heartbeats
constexpr auto borne = 60s;    // without an answer, once there was one

std::string path_of(const events_options& o) {
  std::string path = "/v1/events";
  const auto add = [&](const char* name, const std::vector<std::string>& values) {
    for (const auto& v : values) path += (path.find('?') == std::string::npos ? "?" : "&") + std::string(name) + "=" + percent_encode(v);
  };
  add("queue", o.queues);
  add("kind", o.kinds);
  add("state", o.states);
  add("task_id", o.tasks);
  add("label", o.labels);
  return path;
}

/// Server-sent events, line by line.
class event_reader {
public:
  event_reader(const events_options& o, bool json, std::ostream& out, std::ostream& err) : o_(o), json_(json), out_(out), err_(err), id(o.after) {}

  /// False: enough.
  bool line(std::string_view text) {
    const auto value = [&](std::string_view name) -> std::optional<std::string> {
      if (!text.starts_with(name)) return {};
      auto rest = text.substr(name.size());
      if (rest.starts_with(' ')) rest.remove_prefix(1);
      return std::string(rest);
    };
    if (const auto place = value("id:")) id = *place;
    if (const auto name = value("event:")) event_ = *name;
    if (const auto data = value("data:")) data_ = *data;
    if (!text.empty()) return true;
    if (!data_.empty()) show();
    event_.clear();
    data_.clear();
    return o_.count == 0 || shown_ < o_.count;
  }

private:
  void show() {
    if (event_ == "gap") {
      err_ << "taskmaster: a gap: events in between are not kept any more, or happened while no coordinator led\n";
      return;
    }
    if (json_) {
      out_ << data_ << std::endl;
    } else {
      const auto e = answer_json::parse(data_, nullptr, false);
      const auto at = text_of(e, "at"); // 2030-01-31T12:00:00.123456Z
      out_ << (at.size() > 23 ? at.substr(11, 12) : at) << "  " << text_of(e, "id") << "  " << std::left << std::setw(9) << text_of(e, "state") << "  "
           << text_of(e, "kind") << "  " << text_of(e, "queue") << "  #" << text_of(e, "attempt") << std::endl;
    }
    ++shown_;
  }

  const events_options& o_;
  const bool json_;
  std::ostream& out_;
  std::ostream& err_;
  std::string event_, data_;
  std::int64_t shown_ = 0;

public:
  std::string id; // to resume after
};

} // namespace

int run_events(http_client& client, const events_options& options, bool json, std::ostream& out, std::ostream& err) {
  event_reader reader(options, json, out, err);
  auto last_good = std::chrono::steady_clock::now();
  bool ever = false;
  for (;;) {
    bool enough = false, heard = false;
    std::vector<std::pair<std::string, std::string>> headers;
    if (!reader.id.empty()) headers.emplace_back("Last-Event-ID", reader.id);
    const auto answer = client.follow(
        path_of(options), headers,
        [&](std::string_view line) {
          heard = true;
          enough = !reader.line(line);
          return !enough;
        },
        patience);
    if (enough) return exit_codes::done;
    const auto now = std::chrono::steady_clock::now();
    if (heard) ever = true, last_good = now;
    const bool passing = answer.reached() ? answer.good() || answer.status == 429 || answer.status == 503 : ever;
    if (!passing || now - last_good > borne) return report_failure(client, answer, err);
    std::this_thread::sleep_for(std::clamp<std::chrono::seconds>(answer.retry_after.value_or(1s), 1s, 5s));
  }
}

} // namespace taskmaster
