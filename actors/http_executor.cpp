#include "actors/http_executor.hpp"

#include "actors/file_descriptor.hpp"
#include "actors/http_payload.hpp"
#include "actors/kept_output.hpp"
#include "actors/outcomes.hpp"
#include "actors/retry_after.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace taskmaster {

namespace {

constexpr std::size_t header_bytes = 32u << 10;

// Cuts a request short from another thread. httplib's own stop() waits for a connect under way and forgets itself before one.
// We keep a duplicate of the socket, since its number may belong to another file by the time it is needed.
class socket_cutter {
public:
  /// httplib calls this with every socket before it connects it.
  void made(int socket) {
    std::lock_guard lock(mutex_);
    if (cut_) {
      // The next address of a host whose first one we cut: what is no socket cannot be connected.
      const file_descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
      if (null.open()) ::dup3(null.number(), socket, O_CLOEXEC);
    } else {
      socket_ = file_descriptor(::fcntl(socket, F_DUPFD_CLOEXEC, 3));
    }
  }
  void cut() {
    std::lock_guard lock(mutex_);
    cut_ = true;
    if (socket_.open()) ::shutdown(socket_.number(), SHUT_RDWR);
  }

private:
  std::mutex mutex_;
  file_descriptor socket_;
  bool cut_ = false;
};

std::unique_ptr<httplib::ClientImpl> make_client(const http_payload& call) {
  if (!call.tls) return std::make_unique<httplib::ClientImpl>(call.host, call.port);
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
  return std::make_unique<httplib::SSLClient>(call.host, call.port);
#else
  return nullptr;
#endif
}

// Names in lower case; a name that comes more than once has its values joined, as HTTP reads them.
nlohmann::json headers_json(const httplib::Headers& headers) {
  std::map<std::string, std::string> joined;
  std::size_t total = 0;
  for (const auto& [name, value] : headers) {
    total += name.size() + value.size();
    if (total > header_bytes) break;
    auto key = clean_text(name);
    for (auto& c : key)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    auto& all = joined[key];
    all += (all.empty() ? "" : ", ") + clean_text(value);
  }
  return joined;
}

std::string result_json(const httplib::Response& response, const kept_output& body) {
  nlohmann::json json;
  json["status"] = response.status;
  json["headers"] = headers_json(response.headers);
  const auto without_body = json.dump().size();
  json["body"] = body.text(limits::result_bytes - std::min<std::size_t>(without_body + 1024, limits::result_bytes));
  return json.dump();
}

execution_result judge(const httplib::Response& response, const kept_output& body) {
  execution_result r;
  if (response.status < 200 || response.status > 299) {
    r = failed_with("http_status",
                    clean_text("the target answered " + std::to_string(response.status) + " " + response.reason));
    if (response.status == 429 || response.status == 503) {
      // A date is compared with the target's own clock where it tells us.
      const auto now = parse_http_date(response.get_header_value("Date"))
                           .value_or(std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()));
      r.retry_after = parse_retry_after(response.get_header_value("Retry-After"), now);
    }
  }
  r.result = result_json(response, body);
  return r;
}

execution_result perform(const http_payload& call, duration limit, const run_threads::stop_signal& signal) {
  using std::chrono::seconds;
  const auto client = make_client(call);
  if (!client || !client->is_valid())
    return refused_with("connect", "this worker cannot speak https: its HTTP library was built without TLS");
  socket_cutter cutter;
  const std::stop_callback on_stop(signal.token, [&] { cutter.cut(); });
  client->set_socket_options([&](socket_t socket) { cutter.made(socket); });
  client->set_follow_location(false);
  client->set_keep_alive(false);
  client->set_url_encode(false);
  client->set_tcp_nodelay(true);
  // The limit is kept by the timer; these only have to be longer. poll() counts milliseconds in an int.
  const auto longest = std::min(std::chrono::ceil<seconds>(limit) + seconds(5), seconds(2'000'000));
  client->set_connection_timeout(std::min(longest, seconds(30)).count(), 0);
  client->set_read_timeout(longest.count(), 0);
  client->set_write_timeout(longest.count(), 0);

  kept_output body;
  httplib::Request request;
  request.method = call.method;
  request.path = call.target;
  request.body = call.body;
  for (const auto& [name, value] : call.headers) request.headers.emplace(name, value);
  request.response_handler = [&](const httplib::Response&) { return !signal.token.stop_requested(); };
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    body.append({data, size});
    return !signal.token.stop_requested();
  };
  httplib::Response response;
  auto fault = httplib::Error::Success;
  const bool answered = client->send(request, response, fault);
  if (answered) return judge(response, body);
  switch (signal.reason->load()) {
  case run_threads::stop_reason::timeout: return timed_out(limit);
  case run_threads::stop_reason::cancelled: return cancelled_run();
  case run_threads::stop_reason::none: break;
  }
  return failed_with("connect", clean_text("no answer from " + call.authority + ": " + httplib::to_string(fault)));
}

} // namespace

http_executor::http_executor(std::size_t threads, duration standard_timeout)
    : standard_timeout_(standard_timeout), threads_(threads) {}

void http_executor::start(execution what, done_callback done) {
  auto call = parse_http_payload(what);
  if (!call) return done(payload_refused(call.failure().message));
  const auto limit = what.timeout > duration::zero() ? what.timeout : standard_timeout_;
  threads_.start(
      what.run, limit,
      [call = std::move(*call), limit](const run_threads::stop_signal& signal) { return perform(call, limit, signal); },
      std::move(done));
}

void http_executor::cancel(std::uint64_t run) { threads_.cancel(run); }
void http_executor::stop() { threads_.stop(); }

} // namespace taskmaster
