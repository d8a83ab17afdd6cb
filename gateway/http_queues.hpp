// The handlers of /v1/queues and of explain. See http_call.hpp for what a handler is, http_routes.cpp for the paths.
#pragma once
#include "gateway/http_call.hpp"

namespace taskmaster {

http_answer http_queues(http_desk& desk, const http_call& call);
http_answer http_get_queue(http_desk& desk, const http_call& call);
http_answer http_put_queue(http_desk& desk, const http_call& call);
http_answer http_pause_queue(http_desk& desk, const http_call& call);
http_answer http_resume_queue(http_desk& desk, const http_call& call);
http_answer http_explain(http_desk& desk, const http_call& call);

} // namespace taskmaster
