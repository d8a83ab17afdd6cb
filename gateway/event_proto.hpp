// Events as protobuf: between a scheduler and the coordinator (proto/taskmaster/v1/coordinator.proto), and for clients (event.proto). Pure;
// any thread.
#pragma once
#include "actors/event_log.hpp"
#include "schema/error.hpp"
#include "taskmaster/v1/coordinator.pb.h"
#include "taskmaster/v1/event.pb.h"

namespace taskmaster {

void put_event_request(const event_request& what, duration wait, v1::EventsRequest* out); // without the filter
event_request event_request_of(const v1::EventsRequest& in);
void put_event_page(const event_page& page, v1::EventsResponse* out);
event_page event_page_of(const v1::EventsResponse& in);

/// What a client wants; every fault is told.
expected<event_request> read_watch(const v1::WatchRequest& in);
void write_event(v1::Event& out, const task_event& e);

} // namespace taskmaster
