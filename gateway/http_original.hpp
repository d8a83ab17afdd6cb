// The endpoints of the original TaskMaster, in its own words: a shell command at a time, run once, and its five instants.
#pragma once
#include "gateway/http_call.hpp"

namespace taskmaster {

http_answer http_schedule(http_desk& desk, const http_call& call);
http_answer http_status(http_desk& desk, const http_call& call);

} // namespace taskmaster
