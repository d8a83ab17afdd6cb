// The client commands against a small server that answers as api.md says.
#include "cluster/client_commands.hpp"
#include "tests/catch.hpp"
#include "tests/cluster/temporary_folder.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <fstream>
#include <mutex>
#include <sstream>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <httplib.h>
#include <nlohmann/json.hpp>

using namespace taskmaster;
using nlohmann::json;

namespace {

constexpr auto id = "01930000-0000-7000-8000-000000000001";

json task_json(const std::string& state) {
  json task{{"id", id}, {"kind", "shell"}, {"queue", "default"}, {"state", state}, {"reason", nullptr}, {"priority", 0},
            {"payload", {{"command", "echo hi"}}}, {"run_at", "2020-01-01T00:00:00.000000Z"},
            {"created_at", "2020-01-01T00:00:00.000000Z"}, {"attempt", 1}, {"max_attempts", 5}, {"labels", json::object()},
            {"result", nullptr}, {"error", nullptr}};
  if (state == "succeeded" || state == "failed") {
    task["started_at"] = "2020-01-01T00:00:00.000000Z";
    task["finished_at"] = "2020-01-01T00:00:02.500000Z";
    task["worker"] = "w1";
    task["result"] = {{"output", "hi\n"}, {"error_output", "careful\n"}, {"exit_code", state == "failed" ? 3 : 0}};
  }
  if (state == "failed") {
    task["reason"] = "attempts_exhausted";
    task["error"] = {{"code", "exit"}, {"message", "exit code 3"}};
  }
  return task;
}

/// Listens on a free port; remembers what was asked.
struct fake_service {
  httplib::Server server;
  std::thread thread;
  int port = 0;
  std::mutex mutex;
  std::vector<std::string> bodies, targets, keys;
  std::string final_state = "succeeded", waiting_state = "running";
  std::atomic<int> waits_before_end{0}, refusals{0};

  fake_service() {
    server.set_tcp_nodelay(true);
    server.set_keep_alive_timeout(1);
    server.Post("/v1/tasks", [this](const httplib::Request& q, httplib::Response& r) {
      remember(q);
      if (json::parse(q.body).value("queue", "") == "bad") {
        r.status = 422;
        r.set_content(R"({"type":"t","title":"Unprocessable","status":422,"detail":"The task has a fault.","errors":[{"field":"/queue","detail":"is bad"}]})",
                      "application/problem+json");
        return;
      }
      r.status = 201;
      r.set_content(task_json("ready").dump(), "application/json");
    });
    server.Post("/v1/tasks/batch", [this](const httplib::Request& q, httplib::Response& r) {
      if (refusals > 0) {
        --refusals;
        r.status = 429;
        r.set_header("Retry-After", "0");
        r.set_content(R"({"detail":"too much"})", "application/problem+json");
        return;
      }
      remember(q);
      json results = json::array();
      const auto sent = json::parse(q.body);
      for (const auto& row : sent["tasks"]) {
        if (row.contains("kind"))
          results.push_back({{"id", "id-" + row["kind"].get<std::string>()}});
        else
          results.push_back({{"error", {{"detail", "no kind"}, {"errors", {{{"field", "/kind"}, {"detail", "is missing"}}}}}}});
      }
      r.set_content(json{{"results", results}}.dump(), "application/json");
    });
    server.Get(R"(/v1/tasks/([^/]+)/wait)", [this](const httplib::Request& q, httplib::Response& r) {
      remember(q);
      const bool more = waits_before_end-- > 0;
      r.status = more ? 202 : 200;
      r.set_content(task_json(more ? waiting_state : final_state).dump(), "application/json");
    });
    server.Get(R"(/v1/tasks/([^/]+)/explain)", [](const httplib::Request&, httplib::Response& r) {
      r.set_content(R"({"state":"ready","reasons":[{"code":"no_worker","detail":"no worker takes kind nosuch"}]})", "application/json");
    });
    server.Get(R"(/v1/tasks/([^/]+)/attempts)", [](const httplib::Request&, httplib::Response& r) {
      r.set_content(R"({"attempts":[{"attempt":1,"outcome":"failed","reason":"timeout","worker":"w1","started_at":"2020-01-01T00:00:00Z","finished_at":"2020-01-01T00:00:05Z","error":{"code":"timeout","message":"after 5s"}}],"next_cursor":null})",
                    "application/json");
    });
    server.Get(R"(/v1/tasks/([^/]+))", [this](const httplib::Request& q, httplib::Response& r) {
      remember(q);
      if (q.matches[1] == id) {
        r.set_content(task_json(final_state).dump(), "application/json");
      } else {
        r.status = 404;
        r.set_content(R"({"title":"Not found","detail":"There is no such task."})", "application/problem+json");
      }
    });
    server.Get("/v1/tasks", [this](const httplib::Request& q, httplib::Response& r) {
      remember(q);
      const auto cursor = q.get_param_value("cursor");
      json page{{"tasks", json::array()}, {"next_cursor", cursor.empty() ? json("page 2") : json(nullptr)}};
      page["tasks"].push_back(task_json(cursor.empty() ? "running" : "failed"));
      r.set_content(page.dump(), "application/json");
    });
    server.Post(R"(/v1/tasks/([^/]+)/cancel)", [](const httplib::Request& q, httplib::Response& r) {
      r.status = q.matches[1] == id ? 202 : 200;
      r.set_content(R"({"status":"x"})", "application/json");
    });
    server.Post(R"(/v1/tasks/([^/]+)/retry)", [](const httplib::Request&, httplib::Response& r) {
      r.set_content(task_json("ready").dump(), "application/json");
    });
    server.Get("/v1/queues", [](const httplib::Request&, httplib::Response& r) {
      r.set_content(R"({"queues":[{"name":"default","scheduled":3,"ready":10000,"running":2,"capped":true}],"next_cursor":null})", "application/json");
    });
    server.Get("/v1/workers", [](const httplib::Request&, httplib::Response& r) {
      r.set_content(R"({"workers":[{"id":"s1","name":"evil\u001b[31m","state":"connected","slots":4,"tasks":["a","b"],"queues":[],"kinds":["shell","http"]}]})",
                    "application/json");
    });
    const auto schedule = [this](const httplib::Request& q, httplib::Response& r) {
      remember(q);
      r.set_content(R"({"name":"s","cron":"0 3 * * *","timezone":"UTC","paused":false,"overlap":"allow","next_at":null,"last_at":null,"version":2,
                        "task":{"kind":"k","queue":"default"},"warnings":["it never fires"],"instants":["2030-01-01T03:00:00.000000Z"],
                        "matched":7,"submitted":5,"id":"the-task","ledger":[{"instant":"a","until":"b","count":3,"reason":"paused","decided_at":"d"}]})",
                    "application/json");
    };
    server.Put("/v1/schedules/s", schedule);
    server.Get(R"(/v1/schedules/s.*)", schedule);
    server.Delete("/v1/schedules/s", schedule);
    server.Post(R"(/v1/schedules/s/.*)", schedule);
    server.Get("/page", [](const httplib::Request&, httplib::Response& r) { r.set_content("<html>", "text/html"); });
    port = server.bind_to_any_port("127.0.0.1");
    thread = std::thread([this] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
  }
  ~fake_service() {
    server.stop();
    thread.join();
  }
  void remember(const httplib::Request& q) {
    const std::lock_guard lock(mutex);
    bodies.push_back(q.body);
    targets.push_back(q.target);
    keys.push_back(q.get_header_value("Idempotency-Key"));
  }
};

struct ran {
  int code = -1;
  std::string out, err;
};

/// As from a shell: CLI11 parses, the command runs.
ran run(const std::string& server, std::vector<std::string> words, const std::string& input = "") {
  CLI::App app;
  app.require_subcommand(0, 1);
  client_request request;
  add_client_commands(app, request);
  words.insert(words.begin() + (words[0] == "schedule" ? 2 : 1), {"--server", server});
  std::reverse(words.begin(), words.end()); // as CLI11 wants its vectors
  ran result;
  try {
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    result.code = exit_codes::usage;
    result.err = e.what();
    return result;
  }
  std::istringstream in(input);
  std::ostringstream out, err;
  result.code = run_client_command(request, in, out, err);
  result.out = out.str();
  result.err = err.str();
  return result;
}

ran run(const fake_service& service, std::vector<std::string> words, const std::string& input = "") {
  return run("127.0.0.1:" + std::to_string(service.port), std::move(words), input);
}

} // namespace

TEST_CASE("submit sends every flag as the field it stands for and prints the id alone") {
  fake_service service;
  const auto r = run(service, {"submit", "mail", "--payload", R"({"n": 12345678901234567890123})", "--queue", "q", "--run-at", "2030-01-01T00:00:00Z",
                               "--priority", "9", "--timeout", "5s", "--expires-at", "2031-01-01T00:00:00Z", "--max-attempts", "3", "--delivery",
                               "at_most_once", "--unique-key", "u", "--idempotency-key", "i", "--concurrency-key", "c", "--label", "a=b", "--label", "c=d=e",
                               "--retry-initial", "2s", "--retry-factor", "1.5", "--retry-max", "1m", "--retry-jitter", "0"});
  INFO(r.err);
  CHECK(r.code == exit_codes::done);
  CHECK(r.out == std::string(id) + "\n");
  REQUIRE(service.bodies.size() == 1);
  CHECK(service.bodies[0].find("12345678901234567890123") != std::string::npos);
  auto body = json::parse(service.bodies[0]);
  body.erase("payload");
  CHECK(body == json{{"kind", "mail"}, {"queue", "q"}, {"run_at", "2030-01-01T00:00:00Z"}, {"priority", 9}, {"timeout", "5s"},
                     {"expires_at", "2031-01-01T00:00:00Z"}, {"max_attempts", 3}, {"delivery", "at_most_once"}, {"unique_key", "u"},
                     {"concurrency_key", "c"}, {"labels", {{"a", "b"}, {"c", "d=e"}}},
                     {"retry", {{"initial", "2s"}, {"factor", 1.5}, {"max", "1m"}, {"jitter", 0.0}}}});
  CHECK(service.keys[0] == "i");
}

TEST_CASE("submit makes a shell task of a command in each of its forms") {
  fake_service service;
  CHECK(run(service, {"submit", "--command", "echo \"hi\"; ls", "--delay", "1s"}).code == 0);
  CHECK(run(service, {"submit", "shell", "--", "ls", "-l", "--wait"}).code == 0);
  CHECK(run(service, {"submit", "shell", "--env", "A=1", "--cwd", "/tmp", "--stdin", "x", "--", "a | b"}).code == 0);
  CHECK(run(service, {"submit", "echo", "--payload", "-"}, "[1]").code == 0);
  CHECK(json::parse(service.bodies.at(0)) == json::parse(R"({"kind":"shell","delay":"1s","payload":{"command":"echo \"hi\"; ls"}})"));
  CHECK(json::parse(service.bodies.at(1)) == json::parse(R"({"kind":"shell","payload":{"argv":["ls","-l","--wait"]}})"));
  CHECK(json::parse(service.bodies.at(2)) ==
        json::parse(R"({"kind":"shell","payload":{"command":"a | b","env":{"A":"1"},"cwd":"/tmp","stdin":"x"}})"));
  CHECK(json::parse(service.bodies.at(3)) == json::parse(R"({"kind":"echo","payload":[1]})"));
}

TEST_CASE("bad usage is exit code 2 and sends nothing") {
  fake_service service;
  const std::vector<std::vector<std::string>> bad{
      {"submit"},
      {"submit", "x", "--payload", "text"},
      {"submit", "x", "--payload", "@/no/such/file"},
      {"submit", "x", "--label", "novalue"},
      {"submit", "x", "--wait=soon"},
      {"submit", "x", "--command", "ls"},
      {"submit", "shell", "--cwd", "/"},
      {"submit", "x", "--delay", "1s", "--run-at", "2030-01-01T00:00:00Z"},
      {"submit", "x", "--priority", "high"},
      {"submit", "x", "--idempotency-key", "a\r\nX-Evil: 1"},
      {"submit", "x", "--batch", "-"},
      {"submit", "--batch", "/no/such/file"},
      {"submit", "--wrong"},
      {"list", "--state", "lost"},
      {"list", "--output", "xml"},
      {"wait", id, "--timeout", "soon"},
      {"get"},
  };
  for (const auto& words : bad) {
    const auto r = run(service, words);
    INFO(words.back() << ": " << r.out << r.err);
    CHECK(r.code == exit_codes::usage);
    CHECK(r.out.empty());
    CHECK_FALSE(r.err.empty());
  }
  CHECK(service.bodies.empty());
  CHECK(run("host:port:port", {"queues"}).code == exit_codes::usage);
  for (const auto* server : {"gopher://x", "", ":80", "host:0", "host:70000", "host:80x", "a b:80", "user@host:80", "::1"})
    CHECK(run(server, {"queues"}).code == exit_codes::usage);
}

TEST_CASE("a refused task shows the service's sentence and the fields at fault, exit code 1") {
  fake_service service;
  const auto r = run(service, {"submit", "x", "--queue", "bad"});
  CHECK(r.code == exit_codes::failed);
  CHECK(r.err == "taskmaster: The task has a fault.\n  /queue: is bad\n");
}

TEST_CASE("no answer is exit code 3 and names the address") {
  int port = 0;
  {
    fake_service gone;
    port = gone.port;
  }
  const auto r = run("127.0.0.1:" + std::to_string(port), {"queues"});
  CHECK(r.code == exit_codes::unreachable);
  CHECK(r.err.find("http://127.0.0.1:" + std::to_string(port)) != std::string::npos);
}

TEST_CASE("a server that is something else is answered with what it probably is") {
  // Accepts, and speaks another protocol: as a gRPC port does, whose first words are a frame of HTTP/2.
  const int door = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
  socklen_t size = sizeof at;
  REQUIRE(::bind(door, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(::listen(door, 8) == 0);
  ::getsockname(door, reinterpret_cast<sockaddr*>(&at), &size);
  std::thread grpc([&] {
    for (int i = 0; i < 2; ++i) { // httplib tries a kept connection once more
      const int peer = ::accept(door, nullptr, nullptr);
      if (peer < 0) return;
      const char settings[] = "\0\0\0\4\0\0\0\0\0";
      (void)!::write(peer, settings, 9);
      ::close(peer);
    }
  });
  const auto r = run("127.0.0.1:" + std::to_string(ntohs(at.sin_port)), {"queues"});
  ::shutdown(door, SHUT_RDWR);
  grpc.join();
  ::close(door);
  CHECK(r.code == exit_codes::unreachable);
  CHECK(r.err.find("does not speak HTTP") != std::string::npos);
  CHECK(r.err.find("gRPC port") != std::string::npos);

  fake_service service;
  const auto here = "127.0.0.1:" + std::to_string(service.port);
  CHECK(run("https://" + here, {"queues"}).err.find("write http://") != std::string::npos);
  for (const auto* wrong : {"127.0.0.1:99999", "127.0.0.1:http", "ftp://127.0.0.1:80", "127.0.0.1:", "http://"}) {
    const auto refused = run(wrong, {"queues"});
    CHECK(refused.code == exit_codes::usage);
    CHECK(refused.err == std::string("taskmaster: --server has to be HOST:PORT (port 1 to 65535), http://HOST:PORT or https://HOST:PORT; it is \"") + wrong + "\"\n");
  }
}

TEST_CASE("a part of an id is answered with the whole one") {
  fake_service service;
  const std::string whole = id;
  for (const auto& part : {whole.substr(0, 8), whole.substr(30)}) {
    const auto r = run(service, {"cancel", part});
    CHECK(r.code == exit_codes::usage);
    CHECK(r.err == "taskmaster: \"" + part + "\" is not a task's id, which has 36 characters; did you mean " + whole + "?\n");
  }
  const auto r = run(service, {"get", "zzzz"});
  CHECK(r.code == exit_codes::usage);
  CHECK(r.err == "taskmaster: \"zzzz\" is not a task's id, which has 36 characters; taskmaster list shows them\n");
}

TEST_CASE("a wait for a task that no worker takes says so") {
  fake_service service;
  service.waits_before_end = 2;
  service.waiting_state = "ready";
  const auto r = run(service, {"submit", "nosuch", "--wait"});
  CHECK(r.code == exit_codes::done);
  CHECK(r.err.starts_with("taskmaster: still waiting (no_worker): no worker takes kind nosuch\n"));
  CHECK(r.err.find("no_worker", 40) == std::string::npos); // once
}

TEST_CASE("submit --wait prints the output of a success and fails with a sentence otherwise") {
  fake_service service;
  service.waits_before_end = 2;
  const auto good = run(service, {"submit", "--wait", "--command", "echo hi"});
  CHECK(good.code == exit_codes::done);
  CHECK(good.out == "hi\n");
  CHECK(good.err == "careful\n");

  service.final_state = "failed";
  const auto bad = run(service, {"submit", "--wait", "--command", "echo hi"});
  CHECK(bad.code == exit_codes::failed);
  CHECK(bad.err == "careful\ntaskmaster: task " + std::string(id) + " failed (attempts_exhausted): exit: exit code 3\n");

  service.waits_before_end = 1;
  const auto slow = run(service, {"submit", "--wait=0s", "--command", "echo hi"});
  CHECK(slow.code == exit_codes::failed);
  CHECK(slow.err.find("is still running after 0s") != std::string::npos);
}

TEST_CASE("wait shows the task and exits by its state") {
  fake_service service;
  CHECK(run(service, {"wait", id, "--timeout", "5s"}).code == exit_codes::done);
  service.final_state = "failed";
  CHECK(run(service, {"wait", id}).code == exit_codes::failed);
}

TEST_CASE("a batch file goes in chunks, in order, whether it is an array or lines") {
  fake_service service;
  temporary_folder folder;
  std::string lines, array = "[";
  for (int i = 0; i < 2'500; ++i) {
    const auto row = "{\"kind\":\"k" + std::to_string(i) + "\"}";
    lines += row + "\n" + (i % 7 ? "" : "\n");
    array += (i ? "," : "") + row;
  }
  std::ofstream(folder.path / "array.json") << array << "]";
  service.refusals = 2; // 429: tried again
  const auto a = run(service, {"submit", "--batch", (folder.path / "array.json").string()});
  const auto b = run(service, {"submit", "--batch", "-"}, lines);
  CHECK(a.code == exit_codes::done);
  CHECK(a.out == b.out);
  CHECK(service.bodies.size() == 6);
  CHECK(b.out.substr(0, 12) == "id-k0\nid-k1\n");
  CHECK(b.out.find("id-k2499\n") != std::string::npos);
  CHECK(b.err == "taskmaster: 2500 submitted, 0 refused\n");
}

TEST_CASE("what a task waits for goes as one list, and a graph's rows in one request") {
  fake_service service;
  CHECK(run(service, {"submit", "noop", "--after", "a", "--after", "b", "--after-group", "g", "--after-else", "run", "--group", "h"}).code == 0);
  const auto body = json::parse(service.bodies.at(0));
  CHECK(body["after"] == json::array({{{"ref", "a"}, {"else", "run"}}, {{"ref", "b"}, {"else", "run"}}, {{"group", "g"}, {"else", "run"}}}));
  CHECK(body["group"] == "h");
  CHECK(run(service, {"submit", "noop", "--after-on", "finished"}).code == exit_codes::usage);
  std::string lines;
  for (int i = 0; i < 2'500; ++i) lines += "{\"kind\":\"k\",\"ref\":\"r" + std::to_string(i) + "\"}\n";
  CHECK(run(service, {"submit", "--batch", "-"}, lines).code == exit_codes::done);
  CHECK(service.bodies.size() == 2);
}

TEST_CASE("a refused row of a batch is told by its number and the rest goes in") {
  fake_service service;
  const auto r = run(service, {"submit", "--batch", "-"}, "{\"kind\":\"a\"}\n{}\n{\"kind\":\"c\"}\n");
  CHECK(r.code == exit_codes::failed);
  CHECK(r.out == "id-a\nid-c\n");
  CHECK(r.err == "taskmaster: row 2: no kind\n  /kind: is missing\ntaskmaster: 2 submitted, 1 refused\n");
  const auto broken = run(service, {"submit", "--batch", "-"}, "{\"kind\":\"a\"}\n{nonsense\n");
  CHECK(broken.code == exit_codes::usage);
  CHECK(broken.out == "id-a\n");
  CHECK(broken.err.find("line 2 is not JSON") != std::string::npos);
}

TEST_CASE("list passes its filters on and follows cursors with --all") {
  fake_service service;
  const auto r = run(service, {"list", "--all", "--queue", "a b", "--label", "k=v&w", "--state", "failed", "--limit", "1"});
  CHECK(r.code == exit_codes::done);
  REQUIRE(service.targets.size() == 2);
  CHECK(service.targets[0] == "/v1/tasks?limit=1&queue=a%20b&state=failed&label=k%3Dv%26w");
  CHECK(service.targets[1] == service.targets[0] + "&cursor=page%202");
  std::istringstream lines(r.out);
  std::string head, first, second;
  std::getline(lines, head);
  std::getline(lines, first);
  std::getline(lines, second);
  CHECK(head.find("ID") == 0);
  CHECK(first.find(std::string(id) + "  running") == 0);
  CHECK(second.find(std::string(id) + "  failed") == 0);
  CHECK(second.find("2.5s") != std::string::npos);
  CHECK(second.find("attempts_exhausted") == head.find("REASON"));
  CHECK(r.out.find(" \n") == std::string::npos);
  const auto one = run(service, {"list"});
  CHECK(one.err == "taskmaster: there are more: --all, or --cursor page 2\n");
  const auto all = json::parse(run(service, {"list", "--all", "--output", "json"}).out);
  CHECK(all["tasks"].size() == 2);
  CHECK(all["next_cursor"].is_null());
}

TEST_CASE("get, attempts, cancel, retry, queues and workers read well") {
  fake_service service;
  const auto got = run(service, {"get", id});
  CHECK(got.code == exit_codes::done);
  CHECK(got.out.find("kind              shell\n") != std::string::npos);
  CHECK(got.out.find("(took 2.5s)\n") != std::string::npos);
  CHECK(json::parse(run(service, {"get", id, "--output", "json"}).out)["id"] == id);
  const std::string another = "01930000-0000-7000-8000-000000000002";
  const auto missing = run(service, {"get", another});
  CHECK(missing.code == exit_codes::failed);
  CHECK(missing.err == "taskmaster: There is no such task.\n");

  CHECK(run(service, {"attempts", id}).out.find("timeout: after 5s") != std::string::npos);
  CHECK(run(service, {"cancel", id}).out.find("cancel requested") == 0);
  CHECK(run(service, {"cancel", another}).out == "cancelled\n");
  CHECK(run(service, {"retry", id}).out.find("ready") != std::string::npos);
  CHECK(run(service, {"queues"}).out == "QUEUE    SCHEDULED   READY  RUNNING\ndefault          3  10000+        2\n");
  const auto workers = run(service, {"workers"}).out;
  CHECK(workers.find("shell,http") != std::string::npos);
  CHECK(workers.find('\x1b') == std::string::npos); // a name must not colour the terminal
}

TEST_CASE("a flag may come from the environment, named by its command") {
  fake_service service;
  ::setenv("TASKMASTER_SUBMIT_QUEUE", "from-env", 1);
  ::setenv("TASKMASTER_OUTPUT", "json", 1);
  const auto r = run(service, {"submit", "x"});
  ::unsetenv("TASKMASTER_SUBMIT_QUEUE");
  ::unsetenv("TASKMASTER_OUTPUT");
  CHECK(json::parse(r.out)["id"] == id);
  CHECK(json::parse(service.bodies.at(0))["queue"] == "from-env");
}

TEST_CASE("schedule: flags become a definition, answers read well") {
  fake_service service;
  auto r = run(service, {"schedule", "put", "s", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--dst-gap", "skip", "--overlap", "buffer_one", "--paused",
                         "shell", "--queue", "q", "--", "echo", "hi"});
  CHECK(r.code == exit_codes::done);
  CHECK(json::parse(service.bodies.at(0)) == json{{"cron", "0 3 * * *"}, {"timezone", "Europe/Berlin"}, {"dst", {{"gap", "skip"}}}, {"overlap", "buffer_one"},
                                                  {"paused", true}, {"task", {{"kind", "shell"}, {"queue", "q"}, {"payload", {{"argv", {"echo", "hi"}}}}}}});
  CHECK(r.out.find("0 3 * * *") != std::string::npos);
  CHECK(r.err == "taskmaster: s: it never fires\n");
  r = run(service, {"schedule", "put", "s", "--every", "1m", "k", "--payload", "12345678901234567890123"});
  CHECK(service.bodies.at(1).find("12345678901234567890123") != std::string::npos);
  CHECK(run(service, {"schedule", "put", "s", "--every", "1m"}).code == exit_codes::usage); // no KIND
  CHECK(run(service, {"schedule", "put", "s", "--file", "/nowhere"}).code == exit_codes::usage);
  run(service, {"schedule", "put", "s", "--file", "-"}, R"({"task": {"kind": "k"}})");
  CHECK(service.bodies.at(2) == R"({"task": {"kind": "k"}})");

  CHECK(run(service, {"schedule", "trigger", "s", "--allow-overlap"}).out == "the-task\n");
  CHECK(service.bodies.at(3) == R"({"overlap":"allow"})");
  CHECK(run(service, {"schedule", "backfill", "s", "--from", "2030-01-01T00:00:00Z", "--until", "2030-01-02T00:00:00Z"}).out == "5 of 7 instants got a task\n");
  CHECK(json::parse(service.bodies.at(4)) == json{{"from", "2030-01-01T00:00:00Z"}, {"until", "2030-01-02T00:00:00Z"}});
  r = run(service, {"schedule", "preview", "s", "--count", "3"});
  CHECK(r.out == "2030-01-01T03:00:00.000000Z\n");
  CHECK(service.targets.at(5) == "/v1/schedules/s/preview?count=3");
  CHECK(run(service, {"schedule", "ledger", "s"}).out == "INSTANT  REASON  COUNT  UNTIL  DECIDED\na        paused      3  b      d\n");
  CHECK(run(service, {"schedule", "delete", "s"}).out == "deleted\n");
  CHECK(run(service, {"schedule", "pause", "s"}).code == exit_codes::done);
  CHECK(run(service, {"schedule", "backfill", "s"}).code == exit_codes::usage);
}
