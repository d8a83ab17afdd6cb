#include "schema/postgres_connection.hpp"

#include "schema/postgres_faults.hpp"
#include "schema/postgres_queries.hpp"

#include <algorithm>
#include <cerrno>
#include <libpq-fe.h>
#include <poll.h>

namespace taskmaster::postgres {

namespace {

using namespace std::chrono_literals;

constexpr auto first_backoff = 100ms;
constexpr auto longest_backoff = 1000ms;

/// libpq's messages have several lines and end in one.
std::string one_line(const char* text) {
  std::string line = text ? text : "";
  std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

/// `message` is for everybody. `cause` has libpq's or the server's words: host, socket, user and database, which are the operator's alone.
error unavailable(std::string message, std::string cause) {
  error e{ec::unavailable, std::move(message)};
  e.cause = std::move(cause);
  e.retry_after = 1s;
  return e;
}

error with_cause(error e, std::string cause) {
  e.cause = std::move(cause);
  return e;
}

constexpr auto no_connection = "the database cannot be reached";

} // namespace

connection::connection(std::string url, std::string application_name, session kind)
    : url_(std::move(url)), application_name_(std::move(application_name)), kind_(kind) {}

connection::~connection() { drop(); }

void connection::drop() {
  if (conn_) PQfinish(conn_);
  conn_ = nullptr;
  prepared_.clear();
}

/// An idle connection whose server went away is readable; to notice it before sending makes the difference
/// between "nothing was changed" and "nobody knows".
bool connection::alive() {
  if (!conn_ || PQstatus(conn_) != CONNECTION_OK) return false;
  pollfd p{PQsocket(conn_), POLLIN, 0};
  if (::poll(&p, 1, 0) > 0) {
    if (!PQconsumeInput(conn_) || PQstatus(conn_) != CONNECTION_OK) return false;
    // A server that shuts down says so before it hangs up; the socket then stays readable at its end.
    if (::poll(&p, 1, 0) > 0 && (!PQconsumeInput(conn_) || PQstatus(conn_) != CONNECTION_OK)) return false;
  }
  return true;
}

expected<done> connection::connect(steady_time deadline, bool* fresh) {
  if (alive()) return done{};
  drop();
  auto now = std::chrono::steady_clock::now();
  if (now < not_before_) return last_failure_;
  auto opened = open(deadline);
  if (!opened) {
    drop();
    backoff_ = std::clamp(backoff_ * 2, std::chrono::milliseconds(first_backoff),
                          std::chrono::milliseconds(longest_backoff));
    not_before_ = std::chrono::steady_clock::now() + backoff_;
    last_failure_ = opened.failure();
    return opened;
  }
  backoff_ = 0ms;
  if (fresh) *fresh = true;
  return opened;
}

expected<done> connection::open(steady_time deadline) {
  // What stands after dbname overrides the URL; keepalives and tcp_user_timeout notice a peer that is gone
  // within ten seconds.
  const char* keywords[] = {"keepalives_idle",  "keepalives_interval",  "keepalives_count",
                            "tcp_user_timeout", "target_session_attrs", "dbname",
                            "application_name", "client_encoding",      nullptr};
  const char* values[] = {"5",    "2",    "2", "10000", "read-write", url_.c_str(), application_name_.c_str(),
                          "UTF8", nullptr};
  conn_ = PQconnectStartParams(keywords, values, 1);
  if (!conn_) return unavailable(no_connection, "out of memory");
  PQsetErrorVerbosity(conn_, PQERRORS_VERBOSE); // a refusal then has its SQLSTATE
  auto status = PQstatus(conn_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED)
      return refused_connection();
    auto w = wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
    if (w == waited::late) return unavailable(no_connection, "no answer in time");
    status = PQconnectPoll(conn_);
  }
  PQsetNoticeProcessor(
      conn_, [](void*, const char*) {}, nullptr);
  PQsetErrorVerbosity(conn_, PQERRORS_DEFAULT);
  if (PQsetnonblocking(conn_, 1) != 0) return unavailable(no_connection, "out of memory");
  if (PQserverVersion(conn_) < oldest_server)
    return error{ec::incompatible, "the database is older than PostgreSQL 14, the oldest that TaskMaster works with"};
  if (kind_ == session::shared) return done{};
  if (!PQsendQueryParams(conn_, query("prepare_session").c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1))
    return broken(effect::read);
  auto settings = finish(deadline, effect::read);
  if (!settings) return unavailable("a session of the database could not be set up", to_string(settings.failure()));
  return done{};
}

error connection::refused_connection() {
  auto text = one_line(PQerrorMessage(conn_));
  sqlstate_ = state_of_refusal(text);
  // What only helps who has PostgreSQL's source is left out.
  if (const auto source = text.find("  LOCATION:  "); source != text.npos) text.resize(source);
  if (!sqlstate_.empty()) text.erase(text.find(sqlstate_ + ": "), sqlstate_.size() + 2);
  return unavailable(no_connection, text);
}

connection::waited connection::wait(short events, steady_time deadline) {
  for (;;) {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return waited::late;
    pollfd p{PQsocket(conn_), events, 0};
    if (p.fd < 0) return waited::broken;
    auto n = ::poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (n > 0) return waited::ready;
    if (n < 0 && errno != EINTR) return waited::broken;
  }
}

error connection::broken(effect what) {
  auto text = one_line(PQerrorMessage(conn_));
  drop();
  if (what == effect::write)
    return with_cause({ec::ambiguous, "the connection to the database broke before it answered, so it may or may not have happened"}, text);
  return unavailable("the connection to the database broke", text);
}

error connection::late(effect what) {
  // The server notices within a second that nobody waits (client_connection_check_interval). PQcancel would
  // block on a frozen one.
  drop();
  if (what == effect::write)
    return {ec::ambiguous, "the database did not answer in time, so it may or may not have happened"};
  return {ec::deadline_exceeded, "the database did not answer in time"};
}

error connection::refused(const pg_result* result, effect what) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (!state) // made up by libpq: the connection broke
    return broken(what);
  sqlstate_ = state;
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  error e{code_of(sqlstate_, what), one_line(primary)};
  const bool own = sqlstate_.starts_with("TM");
  // The server's words may name roles, tables and addresses. About a value that it was given (22, 23) they help who sent it.
  if (e.code == ec::invalid_argument) e.message = "the database says: " + e.message + " (" + sqlstate_ + ")";
  else if (!own) {
    e.cause = std::move(e.message);
    e.message = "the database refused a statement (" + sqlstate_ + ")" + advice_for(sqlstate_);
  }
  if (e.code == ec::unavailable) e.retry_after = 1s;
  // A session that cannot be used as it is: on a demoted primary, with plans of an older schema, or ended.
  if (sqlstate_ == "25006" || sqlstate_ == "0A000" || sqlstate_.starts_with("26") ||
      sqlstate_.starts_with("57P") || sqlstate_.starts_with("08"))
    drop();
  return e;
}

expected<rows> connection::finish(steady_time deadline, effect what) {
  for (int left; (left = PQflush(conn_)) != 0;) {
    if (left < 0) return broken(what);
    auto w = wait(POLLIN | POLLOUT, deadline);
    if (w == waited::late) return late(what);
    if (w == waited::broken || !PQconsumeInput(conn_)) return broken(what);
  }
  // To the very end: a statement's result comes before its COMMIT, which may fail.
  rows answer;
  std::optional<error> fault;
  for (;;) {
    while (PQisBusy(conn_)) {
      auto w = wait(POLLIN, deadline);
      if (w == waited::late) return late(what);
      if (w == waited::broken || !PQconsumeInput(conn_)) return broken(what);
    }
    std::unique_ptr<pg_result, decltype(&PQclear)> result(PQgetResult(conn_), &PQclear);
    if (!result) break;
    switch (PQresultStatus(result.get())) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: answer = rows(result.release()); break;
    default:
      fault = refused(result.get(), what);
      if (!conn_) return *fault;
    }
  }
  if (fault) return *fault;
  if (PQstatus(conn_) != CONNECTION_OK) return broken(what);
  return answer;
}

expected<done> connection::prepare(std::string_view name, steady_time deadline) {
  if (prepared_.contains(name)) return done{};
  std::string key(name);
  if (!PQsendPrepare(conn_, key.c_str(), query(name).c_str(), 0, nullptr)) return broken(effect::read);
  auto answer = finish(deadline, effect::read);
  if (!answer) return answer.failure();
  prepared_.insert(std::move(key));
  return done{};
}

namespace {

struct raw_parameters {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
};

raw_parameters raw(const parameters& p) {
  raw_parameters r;
  for (const auto& value : p.values()) {
    r.values.push_back(p.null(r.values.size()) ? nullptr : value.data());
    r.lengths.push_back(static_cast<int>(value.size()));
    r.formats.push_back(1);
  }
  return r;
}

} // namespace

expected<rows> connection::run(std::string_view name, const parameters& values, steady_time deadline,
                               effect what) {
  sqlstate_.clear();
  if (auto connected = connect(deadline); !connected) return connected.failure();
  if (kind_ == session::shared) return run_shared(query(name), values, deadline);
  if (auto prepared = prepare(name, deadline); !prepared) return prepared.failure();
  auto r = raw(values);
  if (!PQsendQueryPrepared(conn_, std::string(name).c_str(), static_cast<int>(r.values.size()),
                           r.values.data(), r.lengths.data(), r.formats.data(), 1))
    return broken(effect::read); // not sent
  return finish(deadline, what);
}

expected<rows> connection::run_text(const std::string& text, const parameters& values, steady_time deadline,
                                    effect what) {
  sqlstate_.clear();
  if (auto connected = connect(deadline); !connected) return connected.failure();
  if (kind_ == session::shared) return run_shared(text, values, deadline);
  return send_text(text, values, deadline, what);
}

expected<rows> connection::send_text(const std::string& text, const parameters& values, steady_time deadline, effect what) {
  auto r = raw(values);
  if (!PQsendQueryParams(conn_, text.c_str(), static_cast<int>(r.values.size()), nullptr, r.values.data(),
                         r.lengths.data(), r.formats.data(), 1))
    return broken(effect::read);
  return finish(deadline, what);
}

expected<rows> connection::run_shared(const std::string& text, const parameters& values, steady_time deadline) {
  const auto script = [&](const std::string& t) -> expected<rows> {
    if (!PQsendQuery(conn_, t.c_str())) return broken(effect::read);
    return finish(deadline, effect::read);
  };
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  if (left <= 0) return late(effect::read);
  // What a role or a database may have set differently and what changes our answers is set here, for this transaction.
  auto begun = script("BEGIN READ ONLY; SET LOCAL statement_timeout = " + std::to_string(left) + "; SET LOCAL lock_timeout = 0; " +
                      std::string(query("plain_settings")));
  if (!begun) return begun;
  auto answer = send_text(text, values, deadline, effect::read);
  if (!conn_) return answer;
  // A transaction that only read ends the same way whether it failed or not.
  if (auto ended = script("ROLLBACK"); !ended && answer) return ended;
  return answer;
}

int connection::backend() const { return conn_ ? PQbackendPID(conn_) : 0; }

expected<int> connection::await_notifications(int wake, steady_time deadline) {
  if (!alive()) return broken(effect::read);
  int count = 0;
  for (;;) {
    while (auto* n = PQnotifies(conn_)) {
      PQfreemem(n);
      ++count;
    }
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (count > 0 || left <= 0) return count;
    pollfd p[]{{PQsocket(conn_), POLLIN, 0}, {wake, POLLIN, 0}};
    auto n = ::poll(p, 2, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (n < 0 && errno != EINTR) return broken(effect::read);
    if (n > 0 && p[0].revents && (!PQconsumeInput(conn_) || PQstatus(conn_) != CONNECTION_OK)) return broken(effect::read);
    if (n > 0 && p[1].revents) return count;
  }
}

expected<done> connection::run_script(const std::string& text, steady_time deadline) {
  sqlstate_.clear();
  if (auto connected = connect(deadline); !connected) return connected;
  if (!PQsendQuery(conn_, text.c_str())) return broken(effect::read);
  auto answer = finish(deadline, effect::write);
  if (!answer) return answer.failure();
  return done{};
}

} // namespace taskmaster::postgres
