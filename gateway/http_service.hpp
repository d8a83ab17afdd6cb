// The handlers about the service itself: workers, health, metrics, the API's description.
#pragma once
#include "gateway/http_call.hpp"

namespace taskmaster {

http_answer http_workers(http_desk& desk, const http_call& call);
http_answer http_drain(http_desk& desk, const http_call& call);
http_answer http_healthz(http_desk& desk, const http_call& call);
http_answer http_readyz(http_desk& desk, const http_call& call);
http_answer http_metrics_text(http_desk& desk, const http_call& call);
http_answer http_openapi(http_desk& desk, const http_call& call);

} // namespace taskmaster
