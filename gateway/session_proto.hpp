// The session's messages as protobuf and back (proto/taskmaster/v1/worker.proto). Used by session_service and session_client. Pure; any
// thread. What a message lacks or garbles becomes an empty value, which the worker proxy then judges.
#pragma once
#include "actors/session.hpp"
#include "taskmaster/v1/worker.pb.h"

namespace taskmaster {

/// Nothing for a message that this build does not know (unknown fields are ignored, an unknown message too).
std::optional<from_worker> read(const v1::FromWorker& in);
std::optional<to_worker> read(const v1::ToWorker& in);

v1::FromWorker write(const from_worker& in);
v1::ToWorker write(const to_worker& in);

} // namespace taskmaster
