#include "schema/postgres_connection.hpp"

#include <algorithm>
#include <poll.h>

namespace taskmaster::postgres {
namespace {

/// libpq's messages have lines and tabs; ours are one sentence, for a log line and a JSON text.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == '\n' || c == '\t' || c == ' ';
    if (!space) out += c;
    else if (!out.empty() && out.back() != ' ') out += ' ';
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

error unavailable(const std::string& text) {
  error e(ec::unavailable, "the database cannot be reached: " + one_line(text));
  e.retry_after = std::chrono::seconds(1);
  return e;
}

error of_sqlstate(const std::string& state, const std::string& message) {
  const auto cls = state.substr(0, 2);
  if (state == "TM001") return {ec::deposed, message};
  if (state == "TM002") return {ec::not_found, message};
  if (state == "TM003") return {ec::conflict, message};
  if (state == "23505") return {ec::conflict, message};
  if (cls == "22" || cls == "23") return {ec::unprocessable, message};
  if (cls == "08" || cls == "57" || cls == "53" || cls == "25" || cls == "40" || cls == "55") return unavailable(message);
  return {ec::internal, "PostgreSQL says " + state + ": " + message};
}

} // namespace

void connection::drop() {
  if (conn_) PQfinish(conn_);
  conn_ = nullptr;
  prepared_.clear();
}

bool connection::wait(bool write, clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
  if (left <= 0) return false;
  pollfd p{PQsocket(conn_), static_cast<short>(write ? POLLOUT : POLLIN), 0};
  return poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000))) != 0;
}

expected<done> connection::ready(clock::time_point until) {
  if (conn_ && PQstatus(conn_) == CONNECTION_OK) {
    // Nothing is under way, so a readable socket is a notice or the server's farewell. Read now, a connection that ended while idle is
    // replaced; found out by the next statement, that statement's outcome would be unknown.
    pollfd p{PQsocket(conn_), POLLIN, 0};
    if (poll(&p, 1, 0) == 0 || (PQconsumeInput(conn_) && PQstatus(conn_) == CONNECTION_OK)) return done{};
  }
  drop();
  if (clock::now() < next_try_) return unavailable("the last try failed a moment ago");
  // An unreachable host must not take the whole deadline of every call in the line behind.
  until = std::min(until, clock::now() + std::chrono::seconds(3));
  const char* keys[] = {"dbname", "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "target_session_attrs", nullptr};
  const char* values[] = {url_.c_str(), name_.c_str(), "5", "2", "3", "10000", "read-write", nullptr};
  conn_ = PQconnectStartParams(keys, values, 1);
  std::string why = conn_ ? "" : "out of memory";
  auto polling = PGRES_POLLING_WRITING;
  while (conn_ && polling != PGRES_POLLING_OK) {
    if (PQstatus(conn_) == CONNECTION_BAD || polling == PGRES_POLLING_FAILED) {
      why = PQerrorMessage(conn_);
      break;
    }
    if (!wait(polling == PGRES_POLLING_WRITING, until)) {
      if (clock::now() < until) continue;
      why = "no answer in time";
      break;
    }
    polling = PQconnectPoll(conn_);
  }
  if (!why.empty()) {
    drop();
    next_try_ = clock::now() + backoff_;
    backoff_ = std::min<std::chrono::milliseconds>(backoff_ * 2, std::chrono::seconds(2));
    return unavailable(why);
  }
  PQsetnonblocking(conn_, 1);
  PQsetNoticeProcessor(conn_, [](void*, const char*) {}, nullptr); // libpq would print to stderr, past the log; errors come with results
  backoff_ = std::chrono::milliseconds(100);
  ++generation_;
  return done{};
}

error connection::lost(kind k, const std::string& why) {
  sqlstate_.clear();
  drop();
  if (k == kind::read) return unavailable(why);
  error e(ec::ambiguous, "the database's answer was lost (" + one_line(why) + "): it may have happened or not; ask again with the same key");
  e.retry_after = std::chrono::seconds(1);
  return e;
}

expected<result> connection::finish(clock::time_point until, kind k) {
  result last;
  error fault;
  bool failed = false;
  for (int flush = 1; flush != 0;) {
    flush = PQflush(conn_);
    if (flush < 0) return lost(k, PQerrorMessage(conn_));
    if (flush == 0) break;
    pollfd p{PQsocket(conn_), POLLIN | POLLOUT, 0};
    if (clock::now() >= until) return lost(k, "no answer in time");
    poll(&p, 1, 100);
    if ((p.revents & POLLIN) && !PQconsumeInput(conn_)) return lost(k, PQerrorMessage(conn_));
  }
  while (true) {
    while (PQisBusy(conn_)) {
      if (!wait(false, until) && clock::now() >= until) {
        char text[256];
        if (auto* c = PQgetCancel(conn_)) {
          PQcancel(c, text, sizeof text);
          PQfreeCancel(c);
        }
        return lost(k, "no answer in time");
      }
      if (!PQconsumeInput(conn_)) return lost(k, PQerrorMessage(conn_));
    }
    result r(PQgetResult(conn_));
    if (!r) break;
    const auto status = PQresultStatus(r.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      const char* state = PQresultErrorField(r.get(), PG_DIAG_SQLSTATE);
      const char* message = PQresultErrorField(r.get(), PG_DIAG_MESSAGE_PRIMARY);
      failed = true;
      sqlstate_ = state ? state : "";
      fault = of_sqlstate(sqlstate_, message ? message : PQresultErrorMessage(r.get()));
    }
    last = std::move(r);
  }
  if (PQstatus(conn_) == CONNECTION_BAD) {
    // Told to go before it did anything (57P01 comes while idle or inside a transaction that it rolls back).
    if (failed && !sqlstate_.empty()) {
      const auto state = sqlstate_;
      drop();
      sqlstate_ = state;
      return fault;
    }
    return lost(k, PQerrorMessage(conn_));
  }
  if (failed) return fault;
  return last;
}

expected<result> connection::run(const std::string& sql, const parameters& p, kind k, std::chrono::milliseconds limit) {
  const auto until = clock::now() + limit;
  if (const auto r = ready(until); !r) return r.failure();
  if (!prepared_.contains(sql)) {
    const auto name = "s" + std::to_string(std::hash<std::string>{}(sql));
    if (!PQsendPrepare(conn_, name.c_str(), sql.c_str(), p.count(), p.types().data())) return lost(kind::read, PQerrorMessage(conn_));
    if (auto r = finish(until, kind::read); !r) return r.failure();
    prepared_.insert(sql);
  }
  std::vector<const char*> values;
  std::vector<int> lengths, formats(static_cast<std::size_t>(p.count()), 1);
  for (std::size_t i = 0; i < p.values().size(); ++i) {
    values.push_back(p.nulls()[i] ? nullptr : p.values()[i].data());
    lengths.push_back(static_cast<int>(p.values()[i].size()));
  }
  const auto name = "s" + std::to_string(std::hash<std::string>{}(sql));
  if (!PQsendQueryPrepared(conn_, name.c_str(), p.count(), values.data(), lengths.data(), formats.data(), 1))
    return lost(kind::read, PQerrorMessage(conn_));
  return finish(until, k);
}

expected<result> connection::script(const std::string& sql, std::chrono::milliseconds limit) {
  const auto until = clock::now() + limit;
  if (const auto r = ready(until); !r) return r.failure();
  if (!PQsendQuery(conn_, sql.c_str())) return lost(kind::read, PQerrorMessage(conn_));
  return finish(until, kind::write);
}

} // namespace taskmaster::postgres
