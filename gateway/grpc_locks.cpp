#include "gateway/grpc_locks.hpp"

#include <absl/synchronization/mutex.h>

namespace taskmaster {

void spare_grpc_lock_checks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

} // namespace taskmaster
