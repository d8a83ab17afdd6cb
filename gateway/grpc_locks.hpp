// gRPC's locks without their watchman. Debian builds abseil with assertions, so each lock that gRPC takes is entered into a graph of who
// waits for whom, looking for deadlocks of gRPC's own; that was a tenth of a busy node's time. main() calls it before the first channel or server.
#pragma once

namespace taskmaster {

void spare_grpc_lock_checks();

} // namespace taskmaster
