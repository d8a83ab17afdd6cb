// Whether a node can work with a database server at all, judged before anything is changed there. migrate() calls it first, so every role
// does at its start. Blocks; any thread, one at a time.
#pragma once
#include "schema/postgres_connection.hpp"

namespace taskmaster::postgres {

/// `incompatible`, with a sentence that says what to do, for what waiting does not heal: a URI that cannot be read, a refused login, an old
/// server, another encoding than UTF-8, a pooler that shares sessions between transactions. `unavailable` for what may pass.
expected<done> check_server(const std::string& url, steady_time deadline);

/// `failed` as the operator has to read it: with the sentence for him and the code `incompatible` where waiting does not heal it.
error for_operator(error failed, std::string_view sqlstate);

/// Two clients of one transaction pooler share a session, or one client has two: either proves it. False for a direct connection, and for
/// a pooler that gives a session to one client until he leaves (`pool_mode = session`), with which a node can work.
expected<bool> shares_sessions(connection& db, const std::string& url, steady_time deadline);

} // namespace taskmaster::postgres
