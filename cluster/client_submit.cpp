#include "cluster/client_submit.hpp"

#include "cluster/client_answers.hpp"
#include "cluster/client_wait.hpp"

#include <fstream>
#include <iterator>

namespace taskmaster {

namespace {

error usage(std::string sentence) { return {ec::invalid_argument, std::move(sentence)}; }

expected<std::string> read_text(const std::string& from, std::istream& in, const char* flag) {
  if (from == "-") return std::string(std::istreambuf_iterator<char>(in), {});
  if (from.rfind('@', 0) != 0) return from;
  std::ifstream file(from.substr(1), std::ios::binary);
  if (!file) return usage(std::string(flag) + ": cannot read the file " + from.substr(1));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

expected<answer_json> pairs(const std::vector<std::string>& given, const char* flag) {
  answer_json object = answer_json::object();
  for (const auto& pair : given) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return usage(std::string(flag) + " takes NAME=VALUE; this is \"" + pair + "\"");
    object[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return object;
}

/// What `submit shell -- …`, --command, --env, --cwd and --stdin describe; nothing when none of them is there.
expected<std::optional<answer_json>> shell_payload(const submit_options& o, const std::string& kind) {
  const bool any = o.command || !o.words.empty() || !o.environment.empty() || o.folder || o.input;
  if (!any) return std::optional<answer_json>();
  if (kind != "shell") return usage("a command, --env, --cwd and --stdin go with the kind shell; this is \"" + kind + "\"");
  if (o.payload) return usage("give --payload or a command, not both");
  if (o.command && !o.words.empty()) return usage("give --command or a command after --, not both");
  answer_json payload;
  if (o.command)
    payload["command"] = *o.command;
  else if (o.words.size() == 1)
    payload["command"] = o.words.front();
  else if (!o.words.empty())
    payload["argv"] = o.words;
  else
    return usage("what is the shell to run? Give --command \"…\", or words after --");
  if (auto env = pairs(o.environment, "--env"); !env)
    return env.failure();
  else if (!env->empty())
    payload["env"] = *env;
  if (o.folder) payload["cwd"] = *o.folder;
  if (o.input) payload["stdin"] = *o.input;
  return std::optional(std::move(payload));
}

bool has_control(const std::string& text) {
  for (const unsigned char c : text)
    if (c < 0x20 || c == 0x7F) return true;
  return false;
}

} // namespace

expected<answer_json> task_flags(const submit_options& o) {
  answer_json task = answer_json::object();
  const auto put = [&task](const char* name, const auto& value) {
    if (value) task[name] = *value;
  };
  put("queue", o.queue);
  put("run_at", o.run_at);
  put("delay", o.delay);
  put("priority", o.priority);
  put("timeout", o.timeout);
  put("heartbeat_timeout", o.heartbeat_timeout);
  put("expires_at", o.expires_at);
  put("max_attempts", o.max_attempts);
  put("delivery", o.delivery);
  put("concurrency_key", o.concurrency_key);
  if (o.unique_scope || o.unique_period || o.unique_policy) {
    auto& unique = task["unique"];
    const auto say = [&unique](const char* name, const auto& value) {
      if (value) unique[name] = *value;
    };
    say("key", o.unique_key);
    say("scope", o.unique_scope);
    say("period", o.unique_period);
    say("policy", o.unique_policy);
  } else {
    put("unique_key", o.unique_key);
  }
  put("group", o.group);
  put("webhook", o.webhook);
  if ((o.after_on || o.after_else) && o.after.empty() && !o.after_group) return usage("--after-on and --after-else go with --after or --after-group");
  auto awaited = answer_json::array();
  const auto wait_for = [&](const char* name, const std::string& value) {
    answer_json entry = {{name, value}};
    if (o.after_on) entry["on"] = *o.after_on;
    if (o.after_else) entry["else"] = *o.after_else;
    awaited.push_back(std::move(entry));
  };
  for (const auto& id : o.after) wait_for("ref", id);
  if (o.after_group) wait_for("group", *o.after_group);
  if (!awaited.empty()) task["after"] = awaited;
  auto labels = pairs(o.labels, "--label");
  if (!labels) return labels.failure();
  if (!labels->empty()) task["labels"] = *labels;
  answer_json retry;
  const auto put_retry = [&retry](const char* name, const auto& value) {
    if (value) retry[name] = *value;
  };
  put_retry("initial", o.retry_initial);
  put_retry("factor", o.retry_factor);
  put_retry("max", o.retry_max);
  put_retry("jitter", o.retry_jitter);
  if (!retry.empty()) task["retry"] = retry;
  return task;
}

expected<std::string> edit_body(const submit_options& o, std::istream& in) {
  auto change = task_flags(o);
  if (!change) return change.failure();
  for (auto& [name, value] : change->items())
    if (value == "none") value = nullptr;
  std::string payload;
  if (o.payload) {
    auto text = read_text(*o.payload, in, "--payload");
    if (!text) return text.failure();
    if (!answer_json::accept(*text)) return usage("--payload is not JSON: a text needs its quotation marks, as in '\"text\"'");
    payload = std::move(*text);
  }
  if (change->empty() && payload.empty()) return usage("what is to be changed? taskmaster edit --help lists it");
  auto text = change->dump(-1, ' ', false, answer_json::error_handler_t::replace);
  if (!payload.empty()) text.insert(text.size() - 1, (change->empty() ? "\"payload\":" : ",\"payload\":") + payload);
  return text;
}

expected<std::string> task_body(const submit_options& o, std::istream& in) {
  std::string kind = o.kind;
  if (kind.empty() && (o.command || !o.words.empty())) kind = "shell";
  if (kind.empty()) return usage("name the KIND of the task, such as shell; taskmaster submit --help says more");

  auto flags = task_flags(o);
  if (!flags) return flags.failure();
  auto& task = *flags;
  task["kind"] = kind;
  // The payload keeps the very characters it was given: numbers may have more digits than a double.
  std::string payload;
  auto shell = shell_payload(o, kind);
  if (!shell) return shell.failure();
  if (*shell) {
    payload = (*shell)->dump(-1, ' ', false, answer_json::error_handler_t::replace);
  } else if (o.payload) {
    auto text = read_text(*o.payload, in, "--payload");
    if (!text) return text.failure();
    if (!answer_json::accept(*text)) return usage("--payload is not JSON: a text needs its quotation marks, as in '\"text\"'");
    payload = std::move(*text);
  }

  auto text = task.dump(-1, ' ', false, answer_json::error_handler_t::replace);
  if (!payload.empty()) text.insert(text.size() - 1, ",\"payload\":" + payload);
  return text;
}

int run_submit(http_client& client, const client_request& request, std::istream& in, std::ostream& out, std::ostream& err) {
  const auto& o = request.submit;
  std::optional<duration> limit;
  const bool wait = !o.wait.empty() && o.wait != "false";
  if (wait && o.wait != "true") {
    const auto parsed = parse_duration(o.wait);
    if (!parsed) {
      err << "taskmaster: --wait: " << parsed.failure().message << '\n';
      return exit_codes::usage;
    }
    limit = *parsed;
  }
  if (o.idempotency_key && (o.idempotency_key->empty() || has_control(*o.idempotency_key))) {
    err << "taskmaster: --idempotency-key may not be empty or hold control characters\n";
    return exit_codes::usage;
  }
  const auto body = task_body(o, in);
  if (!body) {
    err << "taskmaster: " << body.failure().message << '\n';
    return exit_codes::usage;
  }
  std::vector<std::pair<std::string, std::string>> headers;
  if (o.idempotency_key) headers.emplace_back("Idempotency-Key", *o.idempotency_key);
  const auto answer = client.post("/v1/tasks", *body, headers);
  if (!answer.good()) return report_failure(client, answer, err);
  auto task = read_answer(client, answer, err);
  if (!task) return exit_codes::failed;
  const auto id = text_of(*task, "id");
  if (!wait) {
    // The bare id, so that id=$(taskmaster submit …) works.
    if (request.json())
      print_json(out, *task);
    else
      out << id << '\n';
    return exit_codes::done;
  }

  auto waited = wait_for_task(client, id, limit, err);
  if (!waited.task) return waited.exit_code;
  if (request.json()) {
    print_json(out, *waited.task);
    return text_of(*waited.task, "state") == "succeeded" ? exit_codes::done : exit_codes::failed;
  }
  if (waited.finished) return print_outcome(out, err, *waited.task);
  err << "taskmaster: task " << id << " is still " << text_of(*waited.task, "state") << " after " << o.wait << '\n';
  return exit_codes::failed;
}

} // namespace taskmaster
