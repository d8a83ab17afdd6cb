#include "gateway/http_call.hpp"

#include "gateway/problem.hpp"
#include "gateway/status_codes.hpp"

#include <spdlog/spdlog.h>

namespace taskmaster {
namespace {

std::string_view next_part(std::string_view& path) {
  const auto end = path.find('/');
  const auto part = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
  return part;
}

/// Whether `path` has the route's form; `arguments` gets what stands for {…}, not yet decoded.
bool fits(std::string_view pattern, std::string_view path, std::vector<std::string_view>& arguments) {
  arguments.clear();
  while (!pattern.empty() || !path.empty()) {
    if (pattern.empty() != path.empty()) return false;
    const bool more_pattern = pattern.find('/') != std::string_view::npos, more_path = path.find('/') != std::string_view::npos;
    if (more_pattern != more_path) return false;
    const auto want = next_part(pattern), have = next_part(path);
    if (want.starts_with('{')) {
      if (have.empty()) return false;
      arguments.push_back(have);
    } else if (want != have) {
      return false;
    }
  }
  return true;
}

} // namespace

expected<http_match> match_route(std::string_view method, std::string_view path) {
  http_match out;
  std::vector<std::string_view> arguments;
  const auto wanted = method == "HEAD" ? std::string_view("GET") : method;
  for (const auto& route : http_routes()) {
    if (!fits(route.path, path, arguments)) continue;
    if (wanted != route.method) {
      out.allow += (out.allow.empty() ? "" : ", ") + std::string(route.method);
      if (route.method == std::string_view("GET")) out.allow += ", HEAD";
      continue;
    }
    for (const auto a : arguments) {
      auto decoded = decode_path_part(a);
      if (!decoded) return std::move(decoded.failure());
      out.arguments.push_back(std::move(*decoded));
    }
    out.route = &route;
    out.allow.clear();
    return out;
  }
  return out;
}

http_answer refuse(const error& e) {
  if (e.code == ec::internal) spdlog::error("http: {}", e.message); // the client is told only that it was us
  http_answer out{status_of(e.code).http, problem_content_type, problem_json(e), {}};
  if (const int wait = retry_after_seconds(e)) out.headers.emplace_back("Retry-After", std::to_string(wait));
  return out;
}

http_answer answer_json(int status, json_writer&& json) {
  http_answer out;
  out.status = status;
  out.body = json.take();
  return out;
}

expected<uuid> task_id_of(const http_call& call) {
  if (const auto id = uuid::parse(call.arguments.at(0))) return *id;
  return error(ec::invalid_argument, "\"" + call.arguments.at(0).substr(0, 64) + "\" is no task id; ids look like 01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1.",
               {{"/id", "has to be a UUID of 36 characters"}});
}

} // namespace taskmaster
