#include "schema/server_check.hpp"

#include <libpq-fe.h>
#include <memory>

namespace taskmaster::postgres {
namespace {

constexpr auto pooler_sentence =
    "a connection pooler in transaction mode stands before the database. TaskMaster keeps settings and prepared statements in its sessions, so connect directly, "
    "or use a pool with pool_mode = session (applications may go on calling taskmaster.submit() through the pooler)";

error impossible(std::string message, std::string cause = "") {
  error e{ec::incompatible, std::move(message)};
  e.cause = std::move(cause);
  return e;
}

constexpr auto url_sentence = "the database's URI cannot be read; it has to look like postgresql://user:password@host/name";

expected<done> check_url(const std::string& url) {
  char* said = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(url.c_str(), &said), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(said, &PQfreemem);
  if (options) return done{};
  // libpq quotes the whole text in some of its sentences, and a password may stand in it.
  std::string cause = said ? said : "out of memory";
  while (!cause.empty() && cause.back() == '\n') cause.pop_back();
  if (const auto quote = cause.find('"'); quote != cause.npos && url.find('@') != url.npos) cause.resize(quote);
  return impossible(url_sentence, cause);
}

expected<int> server_process(connection& db, steady_time deadline) {
  auto pid = db.run_text("SELECT pg_backend_pid()", {}, deadline, effect::read);
  if (!pid) return for_operator(pid.failure(), db.sqlstate());
  return pid->int4(0, 0);
}

} // namespace

error for_operator(error failed, std::string_view sqlstate) {
  // PgBouncer's own refusals all have the state 08P01.
  if (failed.cause.find("statement pooling mode") != failed.cause.npos) return impossible(pooler_sentence);
  // libpq reads some values, such as the port, only when it connects, and then has no SQLSTATE for them.
  if (sqlstate.empty() && failed.cause.starts_with("invalid ")) return impossible(url_sentence, failed.cause);
  if (!needs_somebody(sqlstate)) return failed;
  const auto group = sqlstate.substr(0, 2);
  const auto what = group == "28"         ? "the database refuses the login: correct the user or the password in its URI, or pg_hba.conf on the server"
                    : sqlstate == "3D000" ? "there is no such database: create it, or correct the name in its URI"
                    : sqlstate == "42501" ? "the database role lacks a right. It needs USAGE and CREATE on the schema taskmaster and has to own its tables; where the schema is "
                                            "missing it needs CREATE on the database, or create it for the role: CREATE SCHEMA taskmaster AUTHORIZATION the_role"
                                          : "the server does not accept a setting of the database's URI or role";
  return impossible(what, failed.cause.empty() ? failed.message : failed.cause);
}

expected<bool> shares_sessions(connection& db, const std::string& url, steady_time deadline) {
  const auto first = server_process(db, deadline);
  if (!first) return first.failure();
  if (*first == db.backend()) return false; // nobody between us
  // A pooler gives the session that was used last to who comes next, so the first round shows it unless others come between.
  for (int round = 0; round < 5; ++round) {
    connection other(url, "taskmaster", session::shared);
    const auto others = server_process(other, deadline);
    if (!others) return others.failure();
    const auto again = server_process(db, deadline);
    if (!again) return again.failure();
    if (*others == *first || *again != *first) return true;
  }
  return false;
}

expected<done> check_server(const std::string& url, steady_time deadline) {
  if (auto valid = check_url(url); !valid) return valid;
  connection db(url, "taskmaster", session::shared);
  if (auto connected = db.connect(deadline); !connected) return for_operator(connected.failure(), db.sqlstate());
  const auto encoding = db.run_text("SELECT current_setting('server_encoding')", {}, deadline, effect::read);
  if (!encoding) return for_operator(encoding.failure(), db.sqlstate());
  if (encoding->text(0, 0) != "UTF8")
    return impossible("the database has the encoding " + std::string(encoding->text(0, 0)) +
                      ", which cannot hold every text: create one with ENCODING 'UTF8' (and TEMPLATE template0 where that is refused)");
  const auto shared = shares_sessions(db, url, deadline);
  if (!shared) return shared.failure();
  if (*shared) return impossible(pooler_sentence);
  return done{};
}

} // namespace taskmaster::postgres
