// A webhook comes to be with the outcome that it tells of, and says the same whichever store made it.
#include "schema/webhook.hpp"
#include "tests/store/worlds.hpp"

#include <nlohmann/json.hpp>

using namespace taskmaster;
using namespace taskmaster::test;
using nlohmann::json;

namespace {

new_task telling(const std::string& url = "https://hooks.example.org/x") {
  auto w = wanted("echo");
  w.spec.queue = "mail";
  w.spec.labels = {{"order", "17"}};
  w.spec.options.webhook = url;
  return w;
}

/// Everything unfinished of kind webhook.
std::vector<task> webhooks(task_store& store) {
  return must(store.load_window({std::string(webhook_queue), std::string(webhook_kind), 0}, window_mark::start(), 100, 1 << 20, limit)).tasks;
}

} // namespace

STORE_CASE("a webhook is there when the outcome is, once, and tells of it") {
  TestType world;
  auto store = world.connect();
  const auto term = lead(*store).term;
  const auto t = stored(*store, telling());
  REQUIRE(change(*store, term, retry_of(t, {term, 1})).verdict == change_verdict::applied);
  CHECK(webhooks(*store).empty());
  auto again = t;
  again.attempt = 2;
  auto c = finish_of(again, {term, 2});
  c.result = R"({"n":12345678901234567890.123456789,"text":"a\"b"})";
  c.started_at = t.created_at;
  REQUIRE(change(*store, term, c).verdict == change_verdict::applied);
  CHECK(change(*store, term, c).verdict == change_verdict::already);
  const auto made = webhooks(*store);
  REQUIRE(made.size() == 1);
  const auto& w = made[0];
  CHECK(w.max_attempts == 20);
  CHECK(w.timeout == 30s);
  CHECK(w.retry == retry_policy{5s, 2.5, 1h, 0.2});
  const auto payload = json::parse(*w.payload);
  CHECK(payload["url"] == "https://hooks.example.org/x");
  const auto text = payload["body"].template get<std::string>();
  CHECK(text.find("12345678901234567890.123456789") != std::string::npos); // every digit
  const auto body = json::parse(text);
  CHECK(body["type"] == "task.succeeded");
  const auto record = must(store->find(t.id, limit));
  CHECK(body["timestamp"] == format_timestamp(*record->finished_at));
  const auto& data = body["data"];
  CHECK(data["id"] == t.id.str());
  CHECK(data["kind"] == "echo");
  CHECK(data["queue"] == "mail");
  CHECK(data["state"] == "succeeded");
  CHECK(data["reason"].is_null());
  CHECK(data["attempt"] == 2);
  CHECK(data["labels"] == json{{"order", "17"}});
  CHECK(data["created_at"] == format_timestamp(t.created_at));
  CHECK(data["started_at"] == format_timestamp(t.created_at));
  CHECK(data["finished_at"] == body["timestamp"]);
  CHECK(data["result"]["text"] == "a\"b");
  CHECK(data["error"].is_null());
  CHECK(data.size() == 12);
  CHECK(must(store->find(w.id, limit))->labels == std::map<std::string, std::string>{{"task", t.id.str()}});
  const auto queues = must(store->queues(limit));
  CHECK(std::any_of(queues.begin(), queues.end(), [](const auto& q) { return q.name == webhook_queue; }));
}

STORE_CASE("whatever a worker gave for a result, its outcome is recorded and told") {
  TestType world;
  auto store = world.connect();
  const auto term = lead(*store).term;
  // As long as a result and worse to escape than most; no JSON at all; with a message over every limit.
  const std::string quotes = "[\"" + std::string(261'000, '\\') + "\"]", words = "not JSON: \xc3\xa4 " + std::string(200'000, '\x01');
  for (const auto& result : {quotes, words}) {
    const auto t = stored(*store, telling());
    auto c = finish_of(t, {term, 1}, task_state::failed);
    c.result = result;
    c.failure = task_error{"exit", std::string(300'000, '\x02')};
    REQUIRE(change(*store, term, c).verdict == change_verdict::applied);
    CHECK(must(store->find(t.id, limit))->result == result);
    const auto made = webhooks(*store);
    REQUIRE(made.size() == 1);
    CHECK(made[0].payload->size() <= limits::payload_bytes);
    const auto data = json::parse(json::parse(*made[0].payload)["body"].template get<std::string>())["data"];
    if (result == quotes) CHECK(data["result"] == json::parse(quotes));
    else CHECK(data["result"] == words.substr(0, 65'537)); // characters, one of them of two bytes
    CHECK(data["error"]["message"] == std::string(16'384, '\x02'));
    REQUIRE(change(*store, term, finish_of(made[0], {term, 2})).verdict == change_verdict::applied);
  }
}

STORE_CASE("failures and cancels are told too, a task without a webhook and the webhook itself make none") {
  TestType world;
  auto store = world.connect();
  const auto term = lead(*store).term;
  const auto failed = stored(*store, telling()), cancelled = stored(*store, telling()), plain = stored(*store, wanted());
  auto c = finish_of(failed, {term, 1}, task_state::failed);
  c.reason = "attempts_exhausted";
  c.failure = task_error{"exit", "exit status 1"};
  must(store->record(term, {c, finish_of(cancelled, {}, task_state::cancelled), finish_of(plain, {term, 2})}, limit));
  auto made = webhooks(*store);
  REQUIRE(made.size() == 2);
  std::map<std::string, json> by_type;
  for (const auto& w : made) {
    const auto body = json::parse(json::parse(*w.payload)["body"].template get<std::string>());
    by_type[body["type"]] = body["data"];
  }
  CHECK(by_type["task.failed"]["error"] == json{{"code", "exit"}, {"message", "exit status 1"}});
  CHECK(by_type["task.failed"]["reason"] == "attempts_exhausted");
  CHECK(by_type["task.failed"]["result"].is_null());
  CHECK(by_type["task.cancelled"]["started_at"].is_null());
  for (const auto& w : made) must(store->record(term, {finish_of(w, {term, 3})}, limit));
  CHECK(webhooks(*store).empty());
}

TEST_CASE("nobody submits a webhook of his own making to be signed") {
  postgres_world world;
  auto store = world.connect();
  auto w = wanted("webhook");
  const auto answer = must(store->insert({w}, limit));
  CHECK(answer.at(0).refused);
  CHECK_THROWS(world.sql("select taskmaster.submit(kind => 'webhook', payload => '{\"url\": \"http://a\", \"body\": \"x\"}')"));
}
