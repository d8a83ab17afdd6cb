// What a worker needs to send webhooks, out of its settings. Used by run_node. Blocks for a file.
#pragma once
#include "actors/webhook_executor.hpp"
#include "cluster/settings.hpp"

#include <filesystem>

namespace taskmaster {

/// Without a secret among the settings and with `folder` (of the PostgreSQL that `up` keeps), one is made there on the first start: FOLDER/webhook-secret.
expected<webhook_options> webhooks_of(const node_settings& settings, const std::filesystem::path& folder);

} // namespace taskmaster
