#include "cluster/client_commands.hpp"

#include <cctype>

#include <CLI/CLI.hpp>

namespace taskmaster {

namespace {

/// submit's --retry-max reads TASKMASTER_SUBMIT_RETRY_MAX: named by command, so that a wait's timeout is no task's.
std::string variable(const std::string& command, const std::string& flag) {
  std::string name = "TASKMASTER_";
  for (const char c : (command.empty() ? "" : command + "-") + flag)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

class command_builder {
public:
  /// `within`: the command that this one is a part of, for the names of variables.
  command_builder(CLI::App& app, client_request& chosen, client_request::command what, std::string name, const std::string& help,
                  const std::string& within = "")
      : name_(within.empty() ? name : within + "-" + name), app_(*app.add_subcommand(name, help)) {
    app_.group("Client commands");
    app_.add_option("--server", chosen.server, "where the service answers HTTP")->envname(variable("", "server"))->capture_default_str();
    app_.add_option("--output", chosen.output, "table or json")
        ->envname(variable("", "output"))
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    app_.callback([&chosen, what] { chosen.what = what; });
  }

  template <class T>
  CLI::Option* flag(const std::string& flag, T& value, const std::string& help, const std::string& type = "") {
    auto* option = app_.add_option("--" + flag, value, help)->envname(variable(name_, flag));
    return type.empty() ? option : option->type_name(type);
  }
  template <class T>
  CLI::Option* word(const std::string& name, T& value, const std::string& help) {
    return app_.add_option(name, value, help);
  }
  CLI::App& app() { return app_; }
  std::string variable_of(const std::string& flag) const { return variable(name_, flag); }

private:
  std::string name_;
  CLI::App& app_;
};

void add_submit(CLI::App& app, client_request& chosen) {
  command_builder submit(app, chosen, client_request::command::submit, "submit", "Submit a task, or a file of tasks");
  auto& o = chosen.submit;
  submit.word("kind", o.kind, "shell, http, or any kind a worker serves; shell when --command is given")->type_name("KIND");
  submit.word("words", o.words, "for shell, after --: one word is a command line for /bin/sh, several are run as they are")->type_name("COMMAND");
  submit.flag("command", o.command, "a command line for /bin/sh (kind shell)", "TEXT");
  submit.flag("payload", o.payload, "what the kind wants, as JSON; @FILE reads a file, - standard input", "JSON");
  submit.flag("batch", o.batch_file, "submit a file of tasks, a JSON array or one JSON object a line; - is standard input", "FILE");
  submit.flag("env", o.environment, "variable of a shell task; repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  submit.flag("cwd", o.folder, "folder that a shell task runs in", "DIR");
  submit.flag("stdin", o.input, "what a shell task reads", "TEXT");
  submit.flag("queue", o.queue, "queue [default]", "NAME");
  auto* run_at = submit.flag("run-at", o.run_at, "not before, RFC 3339 with an offset: 2030-01-31T12:00:00+01:00", "TIME");
  submit.flag("delay", o.delay, "not before this long from now: 250ms, 1h30m", "DURATION")->excludes(run_at);
  submit.flag("priority", o.priority, "0 to 9, 9 first [0]", "N");
  submit.flag("timeout", o.timeout, "a run that takes longer is ended", "DURATION");
  submit.flag("expires-at", o.expires_at, "not started by then: expired", "TIME");
  submit.flag("max-attempts", o.max_attempts, "[5]", "N");
  submit.flag("delivery", o.delivery, "at_least_once or at_most_once (one attempt) [at_least_once]", "MODE");
  submit.flag("unique-key", o.unique_key, "one unfinished task with this key at a time; repeated, the first task is shown", "KEY");
  submit.flag("idempotency-key", o.idempotency_key, "the same request within 24 h is the same task", "KEY");
  submit.flag("concurrency-key", o.concurrency_key, "tasks of a queue with the same key run one at a time, or as the queue says", "KEY");
  submit.flag("label", o.labels, "repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  submit.flag("retry-initial", o.retry_initial, "wait before the second attempt [1s]", "DURATION");
  submit.flag("retry-factor", o.retry_factor, "each wait is this much longer [2]", "X");
  submit.flag("retry-max", o.retry_max, "and at most this long [10m]", "DURATION");
  submit.flag("retry-jitter", o.retry_jitter, "up to this part of the wait is added by chance [0.1]", "X");
  // A flag that may carry a value: a word after --wait is KIND, never the time.
  submit.app()
      .add_flag("--wait", o.wait, "wait until it is finished and print its output; exit 1 unless it succeeded. --wait=30s waits that long")
      ->envname(submit.variable_of("wait"));
}

void add_list(CLI::App& app, client_request& chosen) {
  command_builder list(app, chosen, client_request::command::list, "list", "List tasks, newest first");
  auto& o = chosen.list;
  list.flag("queue", o.queue, "only of this queue", "NAME");
  list.flag("kind", o.kind, "only of this kind", "KIND");
  list.flag("state", o.state, "only in this state", "STATE")
      ->check(CLI::IsMember({"scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired"}));
  list.flag("label", o.labels, "only with this label; repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  list.flag("limit", o.limit, "a page's length", "N")->check(CLI::Range(1, 1'000))->capture_default_str();
  list.flag("cursor", o.cursor, "go on where a page said", "CURSOR");
  list.app().add_flag("--all", o.all, "every page")->envname(list.variable_of("all"));
}

void add_queue(CLI::App& app, client_request& chosen) {
  auto& group = *app.add_subcommand("queue", "Pause and limit queues, and see what is set");
  group.group("Client commands");
  group.require_subcommand(1);
  auto& o = chosen.queue;
  const auto verb = [&](queue_options::verb what, const char* name, const char* help) {
    command_builder builder(group, chosen, client_request::command::queue, name, help, "queue");
    builder.app().callback([&chosen, what] {
      chosen.what = client_request::command::queue;
      chosen.queue.what = what;
    });
    if (what != queue_options::verb::list) builder.word("name", o.name, "the queue")->required()->type_name("NAME");
    return builder;
  };
  using verbs = queue_options::verb;
  verb(verbs::list, "list", "List queues with their limits, and what waits and runs in each");
  verb(verbs::get, "get", "Show a queue");
  auto set = verb(verbs::set, "set", "Change a queue's limits; what is not named stays, \"none\" is the default");
  set.flag("concurrency", o.concurrency, "how many of its tasks run at once [no limit]", "N");
  set.flag("rate", o.rate, "how many start in a period, and how many may wait: 5/1s, 100/1m/20 [no limit]", "RATE");
  set.flag("key-concurrency", o.key_concurrency, "how many run at once of each concurrency_key [1]", "N");
  set.flag("key-rate", o.key_rate, "how many of each concurrency_key start in a period [no limit]", "RATE");
  set.flag("weight", o.weight, "its share beside other queues of the same priority [1]", "X");
  for (const auto& [what, name, help] : {std::tuple{verbs::pause, "pause", "Start no more of a queue; what runs runs on"},
                                         std::tuple{verbs::resume, "resume", "Go on with a queue"}}) {
    auto builder = verb(what, name, help);
    builder.flag("kind", o.kind, "of this kind only", "KIND");
    builder.flag("key", o.key, "of this concurrency_key only", "KEY");
  }
}

void add_one_or_many(CLI::App& app, client_request& chosen, client_request::command what, const char* name, const char* help,
                     const char* state) {
  command_builder builder(app, chosen, what, name, help);
  auto& o = chosen.bulk;
  builder.word("id", chosen.id, "the task's id; without one, flags say which tasks")->type_name("ID");
  builder.flag("queue", o.queue, "only of this queue", "NAME");
  builder.flag("kind", o.kind, "only of this kind", "KIND");
  builder.flag("state", o.state, state, "STATE");
  builder.flag("label", o.labels, "only with this label; repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  builder.app().add_flag("--dry-run", o.dry_run, "only count what matches")->envname(builder.variable_of("dry-run"));
}

} // namespace

void add_client_commands(CLI::App& app, client_request& chosen) {
  using command = client_request::command;
  add_submit(app, chosen);
  add_list(app, chosen);
  add_queue(app, chosen);
  const auto about_one = [&](command what, const char* name, const char* help) {
    command_builder builder(app, chosen, what, name, help);
    builder.word("id", chosen.id, "the task's id")->required()->type_name("ID");
    return builder;
  };
  about_one(command::get, "get", "Show a task");
  about_one(command::wait, "wait", "Wait until a task is finished; exit 1 unless it succeeded")
      .flag("timeout", chosen.timeout, "at most this long [for ever]", "DURATION");
  add_one_or_many(app, chosen, command::cancel, "cancel", "Cancel a task, or every unfinished one that a filter matches",
                  "only in this state: scheduled, ready or running");
  add_one_or_many(app, chosen, command::retry, "retry", "Run a finished task again, or every one that a filter matches",
                  "only in this state: failed, cancelled, expired or succeeded [failed]");
  about_one(command::attempts, "attempts", "List every run of a task");
  about_one(command::explain, "explain", "Tell why a task is not running now");
  command_builder(app, chosen, command::queues, "queues", "List queues with what waits and runs in each");
  command_builder(app, chosen, command::workers, "workers", "List workers with what each holds");
}

} // namespace taskmaster
