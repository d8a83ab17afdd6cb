// The handlers of /v1/tasks. See http_call.hpp for what a handler is, http_routes.cpp for the paths.
#pragma once
#include "gateway/http_call.hpp"

namespace taskmaster {

http_answer http_submit(http_desk& desk, const http_call& call);
http_answer http_submit_batch(http_desk& desk, const http_call& call);
http_answer http_get_task(http_desk& desk, const http_call& call);
http_answer http_list_tasks(http_desk& desk, const http_call& call);
http_answer http_wait(http_desk& desk, const http_call& call);
http_answer http_attempts(http_desk& desk, const http_call& call);
http_answer http_cancel(http_desk& desk, const http_call& call);
http_answer http_bulk_cancel(http_desk& desk, const http_call& call);
http_answer http_bulk_retry(http_desk& desk, const http_call& call);
http_answer http_patch(http_desk& desk, const http_call& call);
http_answer http_retry(http_desk& desk, const http_call& call);

} // namespace taskmaster
