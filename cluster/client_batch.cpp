#include "cluster/client_answers.hpp"
#include "cluster/client_submit.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

namespace taskmaster {

using namespace std::chrono_literals;

namespace {

/// Tasks of one request. Well under the service's 10,000 rows and 16 MiB.
constexpr std::size_t chunk_rows = 1'000;
constexpr std::size_t chunk_bytes = 4u << 20;
/// Rows that name each other have to be in one request.
constexpr std::size_t graph_rows = 10'000;
constexpr std::size_t graph_bytes = 15u << 20;

struct totals {
  std::size_t row = 0, refused = 0;
};

class batch_sender {
public:
  batch_sender(http_client& client, const client_request& request, std::ostream& out, std::ostream& err)
      : client_(client), request_(request), out_(out), err_(err) {}

  /// 0, or the exit code that ends the command.
  int add(std::string_view row) {
    graph_ = graph_ || row.find("\"after\"") != row.npos || row.find("\"ref\"") != row.npos;
    const auto most_rows = graph_ ? graph_rows : chunk_rows, most_bytes = graph_ ? graph_bytes : chunk_bytes;
    if (rows_ >= most_rows || (rows_ > 0 && body_.size() + row.size() > most_bytes))
      if (const int code = flush(); code != 0) return code;
    body_ += rows_++ ? "," : "";
    body_ += row;
    return 0;
  }

  int flush() {
    if (rows_ == 0) return 0;
    const auto answer = send("{\"tasks\":[" + body_ + "]}");
    if (!answer.good()) {
      const int code = report_failure(client_, answer, err_);
      err_ << "taskmaster: rows " << done_.row + 1 << " to " << done_.row + rows_ << " and what follows were not submitted";
      if (!answer.reached() || answer.status >= 500) err_ << ", or the answer was lost; only rows with a key can be sent again safely";
      err_ << '\n';
      return code;
    }
    const auto json = read_answer(client_, answer, err_);
    const auto results = json ? json->find("results") : answer_json::const_iterator();
    if (!json || results == json->end() || !results->is_array() || results->size() != rows_) {
      err_ << "taskmaster: the answer does not name a result for each task\n";
      return exit_codes::failed;
    }
    for (const auto& result : *results) show(result);
    body_.clear();
    rows_ = 0;
    return 0;
  }

  const totals& done() const { return done_; }

private:
  /// 429 says that nothing was taken and when to come back.
  service_answer send(const std::string& body) {
    for (int tries = 0;; ++tries) {
      auto answer = client_.post("/v1/tasks/batch", body);
      if (answer.status != 429 || tries == 20) return answer;
      std::this_thread::sleep_for(std::clamp<std::chrono::seconds>(answer.retry_after.value_or(1s), 1s, 30s));
    }
  }

  void show(const answer_json& result) {
    ++done_.row;
    const auto error = result.is_object() ? result.find("error") : result.end();
    const bool bad = error != result.end() && !error->is_null();
    done_.refused += bad;
    if (request_.json())
      out_ << result.dump(-1, ' ', false, answer_json::error_handler_t::replace) << '\n';
    else if (!bad)
      out_ << text_of(result, "id") << '\n';
    if (bad) err_ << "taskmaster: row " << done_.row << ": " << problem_text(*error) << '\n';
  }

  http_client& client_;
  const client_request& request_;
  std::ostream& out_;
  std::ostream& err_;
  std::string body_;
  std::size_t rows_ = 0;
  bool graph_ = false;
  totals done_;
};

/// One JSON object a line, read as it comes; each keeps its characters.
int send_lines(std::istream& in, batch_sender& sender, std::ostream& err) {
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (!answer_json::accept(line)) {
      // What went before goes out still: the person will send the rest of the file again, from here.
      if (const int code = sender.flush(); code != 0) return code;
      err << "taskmaster: line " << number << " is not JSON; it and what follows were not submitted\n";
      return exit_codes::usage;
    }
    if (const int code = sender.add(line); code != 0) return code;
  }
  return sender.flush();
}

int send_array(std::istream& in, batch_sender& sender, std::ostream& err) {
  const auto rows = answer_json::parse(in, nullptr, false);
  if (!rows.is_array()) {
    err << "taskmaster: the file begins with '[' but is no JSON array; nothing was submitted\n";
    return exit_codes::usage;
  }
  for (const auto& row : rows)
    if (const int code = sender.add(row.dump(-1, ' ', false, answer_json::error_handler_t::replace)); code != 0) return code;
  return sender.flush();
}

bool any_task_flag(const submit_options& o) {
  return !o.kind.empty() || !o.words.empty() || o.command || o.payload || !o.environment.empty() || o.folder || o.input || o.queue ||
         o.run_at || o.delay || o.timeout || o.heartbeat_timeout || o.unique_scope || o.unique_period || o.unique_policy || o.expires_at || o.delivery || o.unique_key || o.idempotency_key || o.concurrency_key || o.webhook ||
         o.priority || o.max_attempts || o.group || !o.after.empty() || o.after_group || o.after_on || o.after_else || !o.labels.empty() || o.retry_initial || o.retry_max || o.retry_factor || o.retry_jitter ||
         !o.wait.empty();
}

} // namespace

int run_submit_batch(http_client& client, const client_request& request, std::istream& in, std::ostream& out, std::ostream& err) {
  const auto& o = request.submit;
  if (any_task_flag(o)) {
    err << "taskmaster: --batch takes whole tasks from the file; flags that describe one task do not go with it\n";
    return exit_codes::usage;
  }
  std::ifstream file;
  if (*o.batch_file != "-") {
    file.open(*o.batch_file, std::ios::binary);
    if (!file) {
      err << "taskmaster: cannot read " << *o.batch_file << '\n';
      return exit_codes::usage;
    }
  }
  std::istream& rows = *o.batch_file == "-" ? in : file;
  batch_sender sender(client, request, out, err);
  rows >> std::ws;
  const int code = rows.peek() == '[' ? send_array(rows, sender, err) : send_lines(rows, sender, err);
  out.flush();
  err << "taskmaster: " << sender.done().row - sender.done().refused << " submitted, " << sender.done().refused << " refused\n";
  if (code != 0) return code;
  return sender.done().refused == 0 ? exit_codes::done : exit_codes::failed;
}

} // namespace taskmaster
