// The API's description, OpenAPI 3.1, made from the table of routes; the schemas it refers to stand in openapi_*.cpp. Pure.
#pragma once
#include <string>

namespace taskmaster {

/// The document as JSON text.
std::string openapi_document();

/// components/schemas as JSON text.
extern const char* const openapi_schemas;
extern const char* const openapi_schedule_schemas;

} // namespace taskmaster
