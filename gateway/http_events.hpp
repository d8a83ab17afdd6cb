// GET /v1/events.
#pragma once
#include "gateway/http_call.hpp"

namespace taskmaster {

http_answer http_events(http_desk& desk, const http_call& call);

} // namespace taskmaster
