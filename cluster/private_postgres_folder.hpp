// The data folder of a private PostgreSQL: whom it belongs to, who can reach it, what it holds. Used by private_postgres alone.
#pragma once
#include "cluster/owned_child.hpp"
#include "schema/error.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace taskmaster {

/// Whom PostgreSQL runs as when we are root: `postgres`, else `nobody`.
std::optional<system_user> user_for_postgres();

/// Makes the folder (0700) where it is missing. As root it is given to `as`, unless it is somebody's and holds files already.
expected<done> make_owned_folder(const std::filesystem::path& folder, const std::optional<system_user>& as);

/// Whether `as` can come through every folder on the way; the sentence names the one that bars it.
expected<done> check_reachable(const std::filesystem::path& folder, const std::optional<system_user>& as);

/// Sets owner (when `as` is set) and mode.
expected<done> own(const std::filesystem::path& path, const std::optional<system_user>& as, mode_t mode);

/// A new folder with a short name, in /run for root where it exists, else in /tmp.
expected<std::filesystem::path> make_short_folder();

/// PG_VERSION of a PostgreSQL data folder; nothing when the folder is not there; an error when it holds something else.
expected<std::optional<int>> major_version_of(const std::filesystem::path& cluster);

/// Whether that process is a PostgreSQL server working in that folder (it makes its data folder its working directory).
bool is_server_of(pid_t pid, const std::filesystem::path& cluster);

/// The last lines of a log, on one line, for an error message.
std::string tail_of(const std::filesystem::path& log);

} // namespace taskmaster
