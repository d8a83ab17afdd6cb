#include "gateway/http_gateway.hpp"

#include "gateway/http_body.hpp"
#include "gateway/http_call.hpp"
#include "gateway/http_meter.hpp"
#include "gateway/http_server.hpp"
#include "gateway/openapi.hpp"
#include "gateway/problem.hpp"

#include <spdlog/spdlog.h>

#include <prometheus/registry.h>

namespace taskmaster {
namespace {

constexpr std::chrono::seconds leave_limit{1}; // for calls under way when the gateway stops

std::vector<std::string> header_values(const httplib::Request& req, const char* name) {
  std::vector<std::string> out;
  const auto [from, to] = req.headers.equal_range(name);
  for (auto it = from; it != to; ++it) out.push_back(it->second);
  return out;
}

body_verdict judge_body(const httplib::Request& req, std::size_t limit) {
  return taskmaster::judge_body(body_headers{header_values(req, "Content-Length"), header_values(req, "Transfer-Encoding"), req.get_header_value("Content-Type")}, limit);
}

const char* title_of(int status) {
  switch (status) {
  case 405: return "Method not allowed";
  case 413: return "Content too large";
  case 414: return "Address too long";
  case 415: return "Unsupported media type";
  case 416: return "Range not satisfiable";
  case 501: return "Not implemented";
  default: return "Bad request";
  }
}

http_answer plain_problem(int status, const std::string& detail) {
  return {status, problem_content_type, problem_json(status, title_of(status), detail), {}};
}

void put(httplib::Response& res, http_answer&& a) {
  res.status = a.status;
  for (auto& [name, value] : a.headers) res.set_header(name, value);
  res.body = std::move(a.body);
  res.headers.erase("Content-Type");
  if (!a.content_type.empty()) res.set_header("Content-Type", a.content_type);
}

} // namespace

struct http_gateway::parts {
  parts(caf::actor_system& system, scheduler_actor scheduler, http_gateway_options o)
      : options(std::move(o)),
        client(system, std::move(scheduler)),
        desk{client, options.deadline, options.now, options.max_waiters, options.registry, openapi_document()},
        meter(*options.registry),
        server(options.threads, options.keep_alive) {
    desk.max_streams = options.max_streams;
    desk.heartbeat = options.heartbeat;
    using handled = httplib::Server::HandlerResponse;
    server.set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
      // A body is read by the content reader, which the library hands only to the handlers of these methods.
      if (req.method == "POST" || req.method == "PUT" || req.method == "PATCH" || req.method == "DELETE") return handled::Unhandled;
      answer(req, res, nullptr);
      return handled::Handled;
    });
    const auto with_body = [this](const httplib::Request& req, httplib::Response& res, const httplib::ContentReader& reader) {
      answer(req, res, &reader);
    };
    server.Post("/", with_body);
    server.Put("/", with_body);
    server.Patch("/", with_body);
    server.Delete("/", with_body);
    server.set_error_handler(httplib::Server::HandlerWithResponse([](const httplib::Request&, httplib::Response& res) {
      if (!res.body.empty()) return handled::Unhandled;
      // The library refused it before any handler saw it.
      auto& connection = http_server::current();
      connection.close();
      auto problem = plain_problem(res.status, "The request line or a header is not of HTTP's form, or too long.");
      if (!connection.request) problem.headers.emplace_back("Connection", "close"); // the library was not asked to say so
      put(res, std::move(problem));
      return handled::Unhandled;
    }));
    // curl asks before it sends a long body: tell it the limit before the bytes.
    server.set_expect_100_continue_handler([this](const httplib::Request& req, httplib::Response& res) {
      const auto verdict = judge_body(req, options.body_limit);
      if (verdict.refuse == 0) return 100;
      http_server::current().close();
      put(res, plain_problem(verdict.refuse, verdict.why));
      return verdict.refuse;
    });
  }

  /// Reads the body, or says why not.
  std::optional<http_answer> read_body(const httplib::Request& req, httplib::Response& res, const httplib::ContentReader* reader, std::string& body) {
    const auto verdict = judge_body(req, options.body_limit);
    if (verdict.refuse != 0) {
      http_server::current().close();
      return plain_problem(verdict.refuse, verdict.why);
    }
    if (!verdict.present) return std::nullopt;
    if (!reader) {
      http_server::current().close();
      return plain_problem(400, "A " + req.method + " request takes no body.");
    }
    http_server::current().socket.begin_body();
    bool over = false;
    const bool whole = (*reader)([&](const char* bytes, std::size_t n) {
      over = n > options.body_limit - body.size();
      if (!over) body.append(bytes, n);
      return !over;
    });
    if (whole) return std::nullopt;
    http_server::current().close();
    if (over) return plain_problem(413, "The body is over the limit of " + std::to_string(options.body_limit) + " bytes.");
    if (res.status == 415) return plain_problem(415, "This Content-Encoding is not taken; send the body as it is.");
    return plain_problem(400, "The body ended early, or is not encoded as its headers say.");
  }

  http_answer handle(const httplib::Request& req, httplib::Response& res, const httplib::ContentReader* reader, std::string& route) {
    const std::string_view target = req.target;
    const auto question = target.find('?');
    const auto refused_unread = [&](http_answer a) {
      if (judge_body(req, options.body_limit).present) http_server::current().close();
      return a;
    };
    auto match = match_route(req.method, target.substr(0, question));
    if (!match) return refused_unread(refuse(match.failure()));
    if (!match->route) {
      if (match->allow.empty())
        return refused_unread(refuse(error(ec::not_found, "Nothing is at this path; /openapi.json lists what is there.")));
      auto a = plain_problem(405, "This path takes " + match->allow + ".");
      a.headers.emplace_back("Allow", match->allow);
      return refused_unread(std::move(a));
    }
    route = match->route->name;
    http_call call;
    call.arguments = std::move(match->arguments);
    auto query = parse_query(question == std::string_view::npos ? std::string_view() : target.substr(question + 1));
    if (!query) return refused_unread(refuse(query.failure()));
    call.query = std::move(*query);
    call.idempotency_keys = header_values(req, "Idempotency-Key");
    call.last_event_id = req.get_header_value("Last-Event-ID");
    if (auto fault = read_body(req, res, reader, call.body)) return std::move(*fault);
    return match->route->handler(desk, call);
  }

  /// Every request ends here: whatever goes wrong is an answer.
  void answer(const httplib::Request& req, httplib::Response& res, const httplib::ContentReader* reader) {
    const auto begun = std::chrono::steady_clock::now();
    ++busy;
    std::string route = "none";
    http_answer a;
    try {
      a = handle(req, res, reader, route);
    } catch (const std::exception& e) {
      http_server::current().close();
      a = refuse(error(ec::internal, e.what()));
    } catch (...) {
      http_server::current().close();
      a = refuse(error(ec::internal, "a handler threw something that is no exception"));
    }
    if (leaving) http_server::current().close();
    meter.count(route, a.status, std::chrono::steady_clock::now() - begun);
    if (a.stream && req.method != "HEAD") http_server::current().stream = std::move(a.stream);
    put(res, std::move(a));
    --busy;
  }

  http_gateway_options options;
  scheduler_client client;
  http_desk desk;
  http_meter meter;
  std::atomic<std::size_t> busy{0};
  std::atomic<bool> leaving{false};
  std::uint16_t port = 0;
  http_server server;
  std::thread listener;
};

http_gateway::http_gateway(caf::actor_system& system, scheduler_actor scheduler, http_gateway_options options) {
  if (!options.registry) options.registry = std::make_shared<prometheus::Registry>();
  if (!options.now) options.now = [] { return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()); };
  parts_ = std::make_unique<parts>(system, std::move(scheduler), std::move(options));
}

http_gateway::~http_gateway() { stop(); }

expected<done> http_gateway::start() {
  auto& p = *parts_;
  const int port = p.server.open(p.options.host, p.options.port);
  if (port == 0)
    return error(ec::unavailable, "Cannot listen for HTTP on " + p.options.host + ":" + std::to_string(p.options.port)
                                      + "; is the port taken, or the address not of this machine?");
  p.port = static_cast<std::uint16_t>(port);
  p.listener = std::thread([&p] { p.server.listen_after_bind(); });
  // A stop before the loop runs would be lost on the library.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!p.server.is_running() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return done{};
}

std::uint16_t http_gateway::port() const { return parts_->port; }

void http_gateway::stop() {
  auto& p = *parts_;
  if (p.leaving.exchange(true)) return;
  p.server.end_streams();
  if (p.listener.joinable()) {
    p.server.stop();
    const auto until = std::chrono::steady_clock::now() + leave_limit;
    while (p.busy > p.desk.waiters && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  p.client.stop();
  p.server.leave();
  if (p.listener.joinable()) p.listener.join();
}

} // namespace taskmaster
