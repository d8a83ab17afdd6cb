#include "schema/postgres_connection.hpp"

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

error unavailable(std::string message) {
  error e{ec::unavailable, std::move(message)};
  e.retry_after = 1s;
  return e;
}

ec code_of(std::string_view sqlstate, effect what) {
  auto group = sqlstate.substr(0, 2);
  if (sqlstate == "TM001") return ec::deposed;
  if (sqlstate == "TM002") return ec::not_found;
  if (sqlstate == "TM003") return ec::conflict;
  if (group == "22" || group == "23") return ec::invalid_argument;
  if (sqlstate == "54000" || sqlstate == "54023") // an index row or an argument list that is too large
    return ec::invalid_argument;
  if (sqlstate == "57014") return ec::deadline_exceeded;
  // The server ends this session. With a synchronous standby the commit may be on disk already.
  if (sqlstate == "57P01" || sqlstate == "57P02" || group == "08")
    return what == effect::write ? ec::ambiguous : ec::unavailable;
  // Locks, deadlocks, serialisation, memory, disk, connections, read-only, a schema that is missing: nothing
  // was changed.
  if (group == "40" || group == "53" || group == "55" || group == "57" || group == "58" || group == "25" ||
      group == "42" || group == "3F" || group == "0A" || group == "26")
    return ec::unavailable;
  return ec::internal;
}

std::string advice_for(std::string_view sqlstate) {
  if (sqlstate == "42P01" || sqlstate == "42883" || sqlstate == "42703" || sqlstate == "3F000")
    return "; the taskmaster schema is missing or older than this binary: run taskmaster migrate";
  if (sqlstate == "53100") return "; the database's disk is full";
  if (sqlstate == "25006") return "; this server only reads, it may be a standby";
  return {};
}

} // namespace

connection::connection(std::string url, std::string application_name)
    : url_(std::move(url)), application_name_(std::move(application_name)) {}

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
  if (now < not_before_) return unavailable(last_failure_ + " (trying again soon)");
  auto opened = open(deadline);
  if (!opened) {
    drop();
    backoff_ = std::clamp(backoff_ * 2, std::chrono::milliseconds(first_backoff),
                          std::chrono::milliseconds(longest_backoff));
    not_before_ = std::chrono::steady_clock::now() + backoff_;
    last_failure_ = opened.failure().message;
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
  if (!conn_) return unavailable("cannot connect to the database: out of memory");
  auto status = PQstatus(conn_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED)
      return unavailable("cannot connect to the database: " + one_line(PQerrorMessage(conn_)));
    auto w = wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
    if (w == waited::late) return unavailable("cannot connect to the database: no answer in time");
    status = PQconnectPoll(conn_);
  }
  PQsetNoticeProcessor(
      conn_, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(conn_, 1) != 0 || PQserverVersion(conn_) < 140'000)
    return unavailable("this database is older than PostgreSQL 14, the oldest that TaskMaster works with");
  if (!PQsendQueryParams(conn_, query("prepare_session").c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1))
    return broken(effect::read);
  auto settings = finish(deadline, effect::read);
  if (!settings) return unavailable("cannot set up a session of the database: " + settings.failure().message);
  return done{};
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
    return {ec::ambiguous,
            "the connection to the database broke before it answered, so it may or may not have happened: " +
                text};
  return unavailable("the connection to the database broke: " + text);
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
  auto own = sqlstate_.starts_with("TM");
  if (!own) e.message = "the database says: " + e.message + " (" + sqlstate_ + ")" + advice_for(sqlstate_);
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
  auto r = raw(values);
  if (!PQsendQueryParams(conn_, text.c_str(), static_cast<int>(r.values.size()), nullptr, r.values.data(),
                         r.lengths.data(), r.formats.data(), 1))
    return broken(effect::read);
  return finish(deadline, what);
}

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
