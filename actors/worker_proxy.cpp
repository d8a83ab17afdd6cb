#include "actors/worker_proxy.hpp"

#include "actors/progress.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

using self_ptr = worker_proxy_actor::stateful_pointer<worker_proxy_state>;

// A worker that names this many tasks it was never given is broken or hostile; one or two are a race with a takeover.
constexpr int nonsense_limit = 100;

steady_time now(self_ptr self) { return self->system().clock().now(); }

void end(self_ptr self, const std::string& why) {
  auto& s = self->state;
  if (s.ended) return;
  s.ended = true;
  // Refused before it was one: every worker that looks for the leader knocks here.
  spdlog::log(s.worker.empty() ? spdlog::level::debug : spdlog::level::info, "session {} of worker '{}' ({}) ends: {}", self->id(), s.worker, s.link->peer(), why);
  s.link->close(why);
  self->quit(caf::exit_reason::normal);
}

void refuse(self_ptr self, refused what) {
  const auto why = what.message;
  self->state.link->push(std::move(what));
  end(self, why);
}

void send_down(self_ptr self, to_worker message) {
  if (!self->state.link->push(std::move(message)) && !self->state.ended)
    end(self, "the worker does not read, its queue is full");
}

void pass_on(self_ptr self, from_worker message) {
  self->send(self->state.coordinator, session_said{self->id(), std::move(message)});
}

void hear_hello(self_ptr self, hello h) {
  auto& s = self->state;
  if (!s.worker.empty()) return refuse(self, {"invalid_argument", "hello was sent twice on one stream", ""});
  if (auto fault = judge(h)) return refuse(self, std::move(*fault));
  if (!s.view->trusted(now(self)))
    return refuse(self, {"not_leader", "this coordinator does not lead at the moment, ask the leader or try again", s.view->leader()});
  s.worker = h.name;
  s.slots = h.slots;
  s.granted = h.credit;
  session_hello out;
  out.proxy = self;
  out.peer = s.link->peer();
  const auto secret = s.view->secret();
  for (const auto& held : h.held)
    if (!genuine(held.what, h.name, secret, held.signature)) out.forged.push_back(held.what);
  std::erase_if(h.held, [&](const signed_claim& c) {
    return std::find(out.forged.begin(), out.forged.end(), c.what) != out.forged.end();
  });
  out.said = std::move(h);
  self->send(s.coordinator, std::move(out));
}

/// Takes out what says nothing, and tells why.
std::vector<progress_fault> judge_progress(heartbeat& beat) {
  std::vector<progress_fault> faults;
  for (auto& p : beat.progress) {
    const auto fault = [&](const std::string& message) { faults.push_back({p.task, message}); };
    if (p.json.size() > limits::progress_bytes) {
      fault("progress is " + std::to_string(p.json.size()) + " bytes long; the limit is " + std::to_string(limits::progress_bytes));
      p.json.clear();
    } else if (!p.json.empty()) {
      auto read = read_progress(p.json);
      if (!read) fault(read.failure().message);
      p.json = read ? std::move(*read) : std::string();
    }
    if (!p.checkpoint) continue;
    if (const auto broken = judge_checkpoint(*p.checkpoint)) {
      fault(broken->message);
      p.checkpoint.reset();
    }
  }
  return faults;
}

void hear_results(self_ptr self, finished_tasks said) {
  auto& s = self->state;
  const auto secret = s.view->secret();
  acknowledged never_given;
  std::erase_if(said.results, [&](const run_result& r) {
    if (genuine(r.what.what, s.worker, secret, r.what.signature)) return false;
    never_given.tasks.push_back({r.what.what.task, r.what.what.fence, true, s.view->term()});
    return true;
  });
  if (!never_given.tasks.empty()) {
    const bool first = s.nonsense == 0;
    s.nonsense += static_cast<int>(never_given.tasks.size());
    if (first) spdlog::warn("worker '{}' ({}) sent {} results for tasks it was never given", s.worker, s.link->peer(), never_given.tasks.size());
    if (s.nonsense > nonsense_limit)
      return refuse(self, {"invalid_argument", "over 100 results for tasks that this worker was never given", ""});
    send_down(self, std::move(never_given));
  }
  for (auto& r : said.results) {
    if (r.checkpoint && judge_checkpoint(*r.checkpoint)) r.checkpoint.reset();
    if (r.result.size() <= limits::result_bytes) continue;
    r.outcome = run_outcome::refused;
    r.failure = task_error{"result_too_large", "the result is " + std::to_string(r.result.size()) + " bytes, the limit is 256 KiB"};
    r.result.clear();
  }
  if (!said.results.empty() || said.credit > 0) pass_on(self, std::move(said));
}

/// False: more than can be; the session ends.
bool grant(self_ptr self, std::int32_t more, const char* field) {
  auto& s = self->state;
  if (more <= 0 || more > limits::slots) {
    refuse(self, {"invalid_argument", field + (" is " + std::to_string(more)) + ", it must be 1 to 10000", ""});
    return false;
  }
  s.granted += more;
  if (s.granted <= limits::slots) return true;
  refuse(self, {"invalid_argument", "more than 10000 credits are out, grant one for each task that ends", ""});
  return false;
}

void hear(self_ptr self, from_worker&& message) {
  auto& s = self->state;
  if (auto* h = std::get_if<hello>(&message)) return hear_hello(self, std::move(*h));
  if (s.worker.empty()) return refuse(self, {"invalid_argument", "the first message of a session is hello", ""});
  if (auto* beat = std::get_if<heartbeat>(&message)) {
    // Unanswered while the lease is not trusted: the worker then starts nothing (R14).
    auto faults = judge_progress(*beat);
    if (s.view->trusted(now(self))) send_down(self, heartbeat_answer{beat->sequence, std::move(faults)});
    if (!beat->progress.empty()) pass_on(self, std::move(message));
    return;
  }
  if (const auto* more = std::get_if<more_credit>(&message); more && !grant(self, more->more, "credit.more")) return;
  if (auto* results = std::get_if<finished_tasks>(&message)) {
    if (results->credit != 0 && !grant(self, results->credit, "finished.more_credit")) return;
    return hear_results(self, std::move(*results));
  }
  pass_on(self, std::move(message));
}

} // namespace

std::optional<refused> judge(const hello& h) {
  const auto fault = [](std::string text) { return refused{"invalid_argument", std::move(text), ""}; };
  if (h.protocol != session_protocol)
    return refused{"incompatible",
                   "this coordinator speaks session protocol " + std::to_string(session_protocol) + ", the worker said " +
                       std::to_string(h.protocol) + "; upgrade the older of the two",
                   ""};
  const auto printable = [](const std::string& text, std::size_t most) {
    return !text.empty() && text.size() <= most &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 32 && c < 127; });
  };
  if (!printable(h.name, 128)) return fault("hello.name must be 1 to 128 printable ASCII characters without spaces");
  if (!printable(h.incarnation, 64)) return fault("hello.incarnation must be 1 to 64 printable ASCII characters, new at every start");
  if (h.kinds.empty()) return fault("hello.kinds is empty: name what this worker can run");
  if (h.kinds.size() > 1'000 || h.queues.size() > 1'000) return fault("hello names more than 1000 kinds or queues");
  for (const auto& kind : h.kinds)
    if (!valid_name(kind)) return fault("hello.kinds: '" + kind.substr(0, 80) + "' is not of [a-z0-9_.-]{1,64}");
  for (const auto& queue : h.queues)
    if (!valid_name(queue)) return fault("hello.queues: '" + queue.substr(0, 80) + "' is not of [a-z0-9_.-]{1,64}");
  if (h.slots < 1 || h.slots > limits::slots) return fault("hello.slots is " + std::to_string(h.slots) + ", it must be 1 to 10000");
  if (h.credit < 0 || h.credit > limits::slots) return fault("hello.credit is " + std::to_string(h.credit) + ", it must be 0 to 10000");
  if (h.held.size() > limits::held) return fault("hello.held names more than 20000 tasks");
  return {};
}

worker_proxy_actor::behavior_type worker_proxy(self_ptr self, coordinator_desk_actor coordinator, std::shared_ptr<worker_link> link,
                                               std::shared_ptr<const lease_view> view, session_timing timing) {
  auto& s = self->state;
  s.coordinator = std::move(coordinator);
  s.link = std::move(link);
  s.view = std::move(view);
  s.timing = timing;
  s.heard = s.opened = now(self);
  // However it ends, the link ends with it.
  self->attach_functor([link = s.link](const caf::error&) { link->close("the coordinator ended the session"); });
  self->delayed_send(self, s.timing.heartbeat_interval, tick_atom::value);
  return {
      [self](from_worker& message) {
        auto& s = self->state;
        if (s.ended) return;
        s.heard = now(self);
        hear(self, std::move(message));
        s.link->consumed();
      },
      [self](proxy_order& order) {
        auto& s = self->state;
        if (s.ended) return;
        if (auto* a = std::get_if<assign>(&order.message)) s.granted -= static_cast<std::int64_t>(a->tasks.size());
        if (order.close) {
          if (auto* r = std::get_if<refused>(&order.message)) refuse(self, std::move(*r));
          else end(self, "closed by the coordinator");
          return;
        }
        send_down(self, std::move(order.message));
      },
      [self](stop_atom) { end(self, "the stream ended"); },
      [self](tick_atom) {
        auto& s = self->state;
        if (s.ended) return;
        self->delayed_send(self, s.timing.heartbeat_interval, tick_atom::value);
        if (s.worker.empty() && now(self) - s.opened > s.timing.hello_within) end(self, "no hello within 10 s");
        else if (now(self) - s.heard > s.timing.deadline) end(self, "no heartbeat for " + format_duration(s.timing.deadline));
      },
  };
}

} // namespace taskmaster
