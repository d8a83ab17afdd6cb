#include "gateway/openapi.hpp"

#include "gateway/http_call.hpp"
#include "gateway/problem.hpp"

#include <nlohmann/json.hpp>

namespace taskmaster {
namespace {

using nlohmann::ordered_json;

ordered_json content(const char* type, const std::string& schema) {
  return {{type, {{"schema", {{"$ref", "#/components/schemas/" + schema}}}}}};
}

/// The {…} of a path.
ordered_json path_parameters(std::string_view path) {
  auto out = ordered_json::array();
  for (auto from = path.find('{'); from != std::string_view::npos; from = path.find('{', from + 1)) {
    const auto name = path.substr(from + 1, path.find('}', from) - from - 1);
    // Tasks are named by UUIDs; a worker's session has a name of its own making.
    ordered_json schema = {{"type", "string"}};
    if (path.starts_with("/v1/tasks/")) schema["format"] = "uuid";
    out.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", schema}});
  }
  return out;
}

ordered_json operation(const http_route& route) {
  ordered_json op;
  op["operationId"] = route.name;
  op["summary"] = route.summary;
  auto parameters = path_parameters(route.path);
  for (const auto& p : route.parameters)
    parameters.push_back({{"name", p.name},
                          {"in", p.in},
                          {"required", p.required},
                          {"description", p.description},
                          {"schema", ordered_json::parse(p.schema)}});
  if (!parameters.empty()) op["parameters"] = std::move(parameters);
  if (route.body) op["requestBody"] = {{"required", true}, {"content", content("application/json", route.body)}};
  for (const auto& r : route.responses) {
    ordered_json response = {{"description", r.description}};
    if (r.schema)
      response["content"] = content("application/json", r.schema);
    else
      response["content"] = {{r.type, {{"schema", {{"type", "string"}}}}}};
    op["responses"][std::to_string(r.status)] = std::move(response);
  }
  op["responses"]["default"] = {{"description", "A problem (RFC 9457); 429 and 503 carry Retry-After"},
                                {"content", content(problem_content_type, "Problem")}};
  return op;
}

std::string lower(std::string_view method) {
  std::string out(method);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

} // namespace

std::string openapi_document() {
  ordered_json doc;
  doc["openapi"] = "3.1.0";
  doc["info"] = {{"title", "TaskMaster"},
                 {"version", "1"},
                 {"description", "A durable task scheduler. Times are RFC 3339 with an offset, shown in UTC with microseconds; durations are strings of "
                                 "us ms s m h d, such as 1m30s. Bodies are JSON, at most 16 MiB, under any Content-Type."}};
  for (const auto& route : http_routes()) doc["paths"][route.path][lower(route.method)] = operation(route);
  doc["components"]["schemas"] = ordered_json::parse(openapi_schemas);
  doc["components"]["schemas"].update(ordered_json::parse(openapi_schedule_schemas));
  return doc.dump();
}

} // namespace taskmaster
