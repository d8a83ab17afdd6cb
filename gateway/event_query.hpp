// What an event stream asks for, read from a client's words, whichever door they came through: every fault is told. Pure; any thread.
#pragma once
#include "actors/event_log.hpp"
#include "gateway/query_string.hpp"

namespace taskmaster {

class event_query {
public:
  event_request wanted;

  void queue(const std::string& field, const std::string& name);
  void kind(const std::string& field, const std::string& name);
  void state(const std::string& field, const std::string& name);
  void task(const std::string& field, const std::string& id);
  void label(const std::string& field, const std::string& key, const std::string& value);
  void after(const std::string& field, const std::string& id);
  void fault(const std::string& field, std::string why) { faults_.push_back({field, std::move(why)}); }
  /// The request, or ec::invalid_argument (a limit alone: unprocessable) with the faults.
  expected<event_request> take();

private:
  std::vector<field_fault> faults_;
  bool over_ = false;
};

/// Of GET /v1/events. `last_event_id`: the header, or empty.
expected<event_request> read_event_query(const query_parameters& query, const std::string& last_event_id);

} // namespace taskmaster
