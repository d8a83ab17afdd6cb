#include "gateway/http_events.hpp"

#include "gateway/event_query.hpp"

namespace taskmaster {
namespace {

constexpr std::size_t piece_events = 500; // about 120 KB

void write_text(std::string& out, const task_event& e) {
  json_writer data;
  data.begin_object().field("id", e.task.str()).field("state", to_string(e.state)).field("queue", e.where->queue);
  data.field("kind", e.where->kind).key("attempt").integer(e.attempt).field("at", e.at).end_object();
  out += "id: " + to_string(e.id) + "\nevent: task\ndata: " + data.text() + "\n\n";
}

void write_gap(std::string& out, const event_id& after, const event_id& goes_on) {
  json_writer data;
  data.begin_object().field("after", to_string(after));
  data.field("detail", "What came after this id is not kept any more, or happened while no coordinator led: look at the tasks themselves.");
  data.end_object();
  out += "id: " + to_string(goes_on) + "\nevent: gap\ndata: " + data.text() + "\n\n";
}

/// One client's stream: a cursor and a filter. Counted as long as it lives.
class event_text final : public http_stream, public std::enable_shared_from_this<event_text> {
public:
  event_text(http_desk& desk, event_request what)
      : scheduler_(desk.scheduler), heartbeat_(desk.heartbeat), count_(desk.streams), what_(std::move(what)) {
    what_.most = piece_events;
  }
  ~event_text() override { --*count_; }

  void next(std::function<void(piece)> then) override {
    scheduler_.events(what_, heartbeat_, [self = shared_from_this(), then](events_answer page) { then(self->text_of(page)); });
  }

private:
  piece text_of(const events_answer& page) {
    if (!page) {
      // It resumes where it was; EventSource comes again by itself.
      if (page.failure().code == ec::deadline_exceeded) return {":\n\n", false};
      return {": " + page.failure().message + "\n\n", true};
    }
    std::string out;
    if (page->gap && what_.after) write_gap(out, *what_.after, page->from);
    for (const auto& e : page->events) write_text(out, e);
    if (page->next != event_id{}) {
      // A comment, and where to resume: without data no event comes of it, but a filter that takes little does not fall behind.
      if (page->next != (page->events.empty() ? event_id{} : page->events.back().id)) out += ":\nid: " + to_string(page->next) + "\n\n";
      what_.after = page->next;
    } else {
      out += ":\n\n";
    }
    return {std::move(out), false};
  }

  scheduler_client& scheduler_;
  const duration heartbeat_;
  const std::shared_ptr<std::atomic<std::size_t>> count_;
  event_request what_;
};

} // namespace

http_answer http_events(http_desk& desk, const http_call& call) {
  auto what = read_event_query(call.query, call.last_event_id);
  if (!what) return refuse(what.failure());
  if (desk.streams->fetch_add(1) >= desk.max_streams) {
    --*desk.streams;
    error e(ec::exhausted, std::to_string(desk.max_streams) + " event streams are open on this node, which is its limit; try again later, or another node.");
    e.retry_after = std::chrono::seconds(5);
    return refuse(e);
  }
  http_answer out;
  out.content_type = "text/event-stream";
  out.stream = std::make_shared<event_text>(desk, std::move(*what));
  return out;
}

} // namespace taskmaster
