#include "gateway/problem.hpp"

#include "gateway/status_codes.hpp"

namespace taskmaster {

void write_problem(json_writer& out, const error& e) {
  const auto& row = status_of(e.code);
  out.begin_object();
  out.field("type", "urn:taskmaster:problem:" + std::string(row.slug));
  out.field("title", row.title);
  out.key("status").integer(row.http);
  out.field("detail", e.code == ec::internal ? "Something went wrong inside the service; its log says what. Try again." : e.message);
  out.key("errors").begin_array();
  for (const auto& f : e.faults) out.begin_object().field("field", f.field).field("detail", f.detail).end_object();
  out.end_array().end_object();
}

std::string problem_json(const error& e) {
  json_writer out;
  write_problem(out, e);
  return out.take();
}

std::string problem_json(int status, std::string_view title, std::string_view detail) {
  json_writer out;
  out.begin_object().field("type", "about:blank").field("title", title).key("status").integer(status);
  out.field("detail", detail).key("errors").begin_array().end_array().end_object();
  return out.take();
}

} // namespace taskmaster
