// Reading tasks: one, a page, its attempts, and waiting for its end.
#include "gateway/await.hpp"
#include "gateway/http_tasks.hpp"
#include "gateway/json_view.hpp"
#include "gateway/task_json.hpp"

#include <charconv>
#include <set>

namespace taskmaster {
namespace {

constexpr duration wait_default = std::chrono::seconds(30);
constexpr duration wait_limit = std::chrono::minutes(10);

/// Reads the filter off the query; every fault is told.
expected<task_filter> read_filter(const query_parameters& query) {
  task_filter out;
  std::vector<field_fault> faults;
  bool over = false;
  std::set<std::string> seen;
  const auto fault = [&](const std::string& name, std::string why) { faults.push_back({"/" + pointer_token(name), std::move(why)}); };
  for (const auto& [name, value] : query) {
    if (name == "label") {
      const auto equals = value.find('=');
      if (equals == std::string::npos || equals == 0)
        fault(name, "has to be a key and a value, such as label=team%3Dmail");
      else if (!out.labels.emplace(value.substr(0, equals), value.substr(equals + 1)).second)
        fault(name, "names the same key twice");
      continue;
    }
    if (!seen.insert(name).second) {
      fault(name, "is there twice; give it once");
    } else if (name == "queue" || name == "kind") {
      if (!valid_name(value)) fault(name, "has to match [a-z0-9_.-]{1,64}");
      (name == "queue" ? out.queue : out.kind) = value;
    } else if (name == "reason") {
      if (!valid_name(value)) fault(name, "has to match [a-z0-9_.-]{1,64}");
      out.reason = value;
    } else if (name == "group") {
      if (!valid_ref(value)) fault(name, "has to be 1 to 64 characters out of letters, digits and '_', '.', ':', '/', '-'");
      out.group = value;
    } else if (name == "state") {
      out.state = parse_state(value);
      if (!out.state) fault(name, "has to be scheduled, ready, running, succeeded, failed, cancelled or expired");
    } else if (name == "limit") {
      std::size_t n = 0;
      const auto [end, broken] = std::from_chars(value.data(), value.data() + value.size(), n);
      if (broken != std::errc() || end != value.data() + value.size() || n == 0) {
        fault(name, "has to be a whole number from 1 to " + std::to_string(limits::page));
      } else if (n > limits::page) {
        over = true;
        fault(name, "is over the limit of " + std::to_string(limits::page) + " tasks a page");
      }
      out.limit = n;
    } else if (name == "cursor") {
      if (value.empty()) fault(name, "is empty; take next_cursor of the page before, or leave it out");
      out.cursor = value;
    } else {
      fault(name, "is no parameter of this list; these are queue, kind, group, state, reason, label, limit and cursor");
    }
  }
  if (faults.empty()) return out;
  const auto code = over && faults.size() == 1 ? ec::unprocessable : ec::invalid_argument;
  return error(code, "The list cannot be asked for in this way; `errors` names the parameters.", std::move(faults));
}

/// Counts a waiting client in and out.
class waiter {
public:
  explicit waiter(http_desk& desk) : desk_(desk), in_(desk.waiters.fetch_add(1) < desk.max_waiters) {}
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() { desk_.waiters.fetch_sub(1); }
  bool in() const { return in_; }

private:
  http_desk& desk_;
  bool in_;
};

expected<duration> read_timeout(const query_parameters& query) {
  duration out = wait_default;
  std::size_t times = 0;
  for (const auto& [name, value] : query) {
    if (name != "timeout")
      return error(ec::invalid_argument, "\"" + name + "\" is no parameter of a wait; it has one, timeout.", {{"/" + pointer_token(name), "is unknown"}});
    auto d = parse_duration(value);
    if (!d) return error(ec::invalid_argument, "The timeout cannot be read: " + d.failure().message, {{"/timeout", d.failure().message}});
    if (++times > 1) return error(ec::invalid_argument, "The timeout is there twice; give it once.", {{"/timeout", "is there twice"}});
    if (*d > wait_limit) {
      const std::string why = "is over the limit of " + format_duration(wait_limit) + "; ask again after it";
      return error(ec::unprocessable, "The timeout " + why + ".", {{"/timeout", why}});
    }
    out = *d;
  }
  return out;
}

} // namespace

http_answer http_get_task(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  auto found = await_answer<find_answer>(desk.deadline, [&](auto then) { desk.scheduler.find(*id, desk.deadline, std::move(then)); });
  if (!found) return refuse(found.failure());
  json_writer out;
  write_task(out, *found);
  return answer_json(200, std::move(out));
}

http_answer http_list_tasks(http_desk& desk, const http_call& call) {
  auto filter = read_filter(call.query);
  if (!filter) return refuse(filter.failure());
  auto page = await_answer<list_answer>(desk.deadline, [&](auto then) { desk.scheduler.list(std::move(*filter), desk.deadline, std::move(then)); });
  if (!page) return refuse(page.failure());
  json_writer out;
  out.begin_object().key("tasks").begin_array();
  for (const auto& r : page->tasks) write_task(out, r);
  out.end_array().field_or_null("next_cursor", page->next_cursor).end_object();
  return answer_json(200, std::move(out));
}

http_answer http_attempts(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  auto list = await_answer<attempts_answer>(desk.deadline, [&](auto then) { desk.scheduler.attempts(*id, desk.deadline, std::move(then)); });
  if (!list) return refuse(list.failure());
  json_writer out;
  out.begin_object().key("attempts").begin_array();
  for (const auto& a : *list) write_attempt(out, a);
  out.end_array().key("next_cursor").null().end_object();
  return answer_json(200, std::move(out));
}

http_answer http_wait(http_desk& desk, const http_call& call) {
  const auto id = task_id_of(call);
  if (!id) return refuse(id.failure());
  const auto time = read_timeout(call.query);
  if (!time) return refuse(time.failure());
  waiter here(desk);
  if (!here.in()) {
    error e(ec::exhausted, std::to_string(desk.max_waiters) + " clients wait already, which is this node's limit; ask again, or look at the task now and then.");
    e.retry_after = std::chrono::seconds(5);
    return refuse(e);
  }
  auto end = await_answer<wait_answer>(*time, [&](auto then) { desk.scheduler.wait(*id, *time, std::move(then)); });
  if (!end) return refuse(end.failure());
  json_writer out;
  write_task(out, end->record);
  return answer_json(end->finished ? 200 : 202, std::move(out));
}

} // namespace taskmaster
