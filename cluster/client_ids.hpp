// Ids that people type. Used by the client commands that are about one task. Blocks; one thread.
#pragma once
#include "cluster/http_client.hpp"

#include <ostream>
#include <string>

namespace taskmaster {

/// False when `id` is no task's id. Then `err` says so, with the ids of the newest thousand tasks that begin or end with it: lists are often read
/// and copied in part.
bool check_id(http_client& client, const std::string& id, std::ostream& err);

} // namespace taskmaster
