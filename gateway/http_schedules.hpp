// The handlers of /v1/schedules. See http_call.hpp for what a handler is, http_schedule_routes.cpp for the paths.
#pragma once
#include "gateway/http_call.hpp"

namespace taskmaster {

http_answer http_put_schedule(http_desk& desk, const http_call& call);
http_answer http_get_schedule(http_desk& desk, const http_call& call);
http_answer http_delete_schedule(http_desk& desk, const http_call& call);
http_answer http_list_schedules(http_desk& desk, const http_call& call);
http_answer http_pause_schedule(http_desk& desk, const http_call& call);
http_answer http_resume_schedule(http_desk& desk, const http_call& call);
http_answer http_trigger_schedule(http_desk& desk, const http_call& call);
http_answer http_backfill_schedule(http_desk& desk, const http_call& call);
http_answer http_preview_schedule(http_desk& desk, const http_call& call);
http_answer http_preview_definition(http_desk& desk, const http_call& call);
http_answer http_schedule_ledger(http_desk& desk, const http_call& call);

/// Their rows of the table of routes.
std::vector<http_route> schedule_routes();

} // namespace taskmaster
