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

/// What describes the task itself, for `submit` and for what a schedule submits.
void add_task_flags(command_builder& b, submit_options& o) {
  b.word("kind", o.kind, "shell, http, or any kind a worker serves; shell when --command is given")->type_name("KIND");
  b.word("words", o.words, "for shell, after --: one word is a command line for /bin/sh, several are run as they are")->type_name("COMMAND");
  b.flag("command", o.command, "a command line for /bin/sh (kind shell)", "TEXT");
  b.flag("payload", o.payload, "what the kind wants, as JSON; @FILE reads a file, - standard input", "JSON");
  b.flag("env", o.environment, "variable of a shell task; repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  b.flag("cwd", o.folder, "folder that a shell task runs in", "DIR");
  b.flag("stdin", o.input, "what a shell task reads", "TEXT");
  b.flag("queue", o.queue, "queue [default]", "NAME");
  b.flag("priority", o.priority, "0 to 9, 9 first [0]", "N");
  b.flag("timeout", o.timeout, "a run that takes longer is ended", "DURATION");
  b.flag("heartbeat-timeout", o.heartbeat_timeout, "a run that reports no progress for so long is stopped", "DURATION");
  b.flag("max-attempts", o.max_attempts, "[5]", "N");
  b.flag("delivery", o.delivery, "at_least_once or at_most_once (one attempt) [at_least_once]", "MODE");
  b.flag("concurrency-key", o.concurrency_key, "tasks of a queue with the same key run one at a time, or as the queue says", "KEY");
  b.flag("webhook", o.webhook, "a URL that is told of its outcome", "URL");
  b.flag("label", o.labels, "repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  b.flag("retry-initial", o.retry_initial, "wait before the second attempt [1s]", "DURATION");
  b.flag("retry-factor", o.retry_factor, "each wait is this much longer [2]", "X");
  b.flag("retry-max", o.retry_max, "and at most this long [10m]", "DURATION");
  b.flag("retry-jitter", o.retry_jitter, "up to this part of the wait is added by chance [0.1]", "X");
}

void add_submit(CLI::App& app, client_request& chosen) {
  command_builder submit(app, chosen, client_request::command::submit, "submit", "Submit a task, or a file of tasks");
  auto& o = chosen.submit;
  add_task_flags(submit, o);
  submit.flag("batch", o.batch_file, "submit a file of tasks, a JSON array or one JSON object a line; - is standard input", "FILE");
  auto* run_at = submit.flag("run-at", o.run_at, "not before, RFC 3339 with an offset: 2030-01-31T12:00:00+01:00", "TIME");
  submit.flag("delay", o.delay, "not before this long from now: 250ms, 1h30m", "DURATION")->excludes(run_at);
  submit.flag("expires-at", o.expires_at, "not started by then: expired", "TIME");
  submit.flag("unique-key", o.unique_key, "one unfinished task with this key at a time; repeated, the first task is shown", "KEY");
  submit.flag("unique-scope", o.unique_scope, "how long the key is held: until_finished, while_waiting or for_period [until_finished]", "SCOPE");
  submit.flag("unique-period", o.unique_period, "with for_period, from the submit on", "DURATION");
  submit.flag("unique-policy", o.unique_policy, "what becomes of this task if the key is held: return_first, replace or refuse [return_first]", "POLICY");
  submit.flag("idempotency-key", o.idempotency_key, "the same request within 24 h is the same task", "KEY");
  submit.flag("after", o.after, "start when this task has succeeded; repeatable", "ID")->take_all()->allow_extra_args(false);
  submit.flag("after-group", o.after_group, "start when every task of the group that has not ended has succeeded", "GROUP");
  submit.flag("after-on", o.after_on, "which end of these starts it: succeeded or finished [succeeded]", "END");
  submit.flag("after-else", o.after_else, "when one ends otherwise: cancel, fail or run [cancel]", "WHAT");
  submit.flag("group", o.group, "others may wait for the tasks of a group together", "GROUP");
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
  list.flag("group", o.group, "only of this group", "GROUP");
  list.flag("state", o.state, "only in this state", "STATE")
      ->check(CLI::IsMember({"scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired"}));
  list.flag("reason", o.reason, "only with this reason, such as lost or timeout", "REASON");
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

void add_schedule(CLI::App& app, client_request& chosen) {
  auto& group = *app.add_subcommand("schedule", "Submit a task again and again: cron, intervals, calendar rules");
  group.group("Client commands");
  group.require_subcommand(1);
  auto& o = chosen.schedule;
  using verbs = schedule_options::verb;
  const auto verb = [&](verbs what, const char* name, const char* help) {
    command_builder builder(group, chosen, client_request::command::schedule, name, help, "schedule");
    builder.app().callback([&chosen, what] {
      chosen.what = client_request::command::schedule;
      chosen.schedule.what = what;
    });
    if (what != verbs::list) builder.word("name", o.name, "the schedule")->required()->type_name("NAME");
    return builder;
  };
  auto put = verb(verbs::put, "put", "Make a schedule or replace its definition; then KIND and flags as for submit");
  put.flag("cron", o.cron, "five or six fields, names, @daily, ~ for a spread by name", "EXPRESSION");
  put.flag("every", o.every, "a fixed interval: 10m", "DURATION");
  put.flag("anchor", o.anchor, "what --every counts from, DTSTART of --rrule", "TIME");
  put.flag("rrule", o.rrule, "RFC 5545: FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0", "RULE");
  put.flag("timezone", o.timezone, "IANA name [UTC]", "ZONE");
  put.flag("jitter", o.jitter, "each task up to this much later, by a hash [0s]", "DURATION");
  put.flag("starts-at", o.starts_at, "no instant before", "TIME");
  put.flag("ends-at", o.ends_at, "no instant after", "TIME");
  put.flag("overlap", o.overlap, "while a task is unfinished: allow, skip, buffer_one, cancel_running [allow]", "POLICY");
  put.flag("misfire", o.misfire, "what was missed while nobody led: skip, one, all [one]", "POLICY");
  put.flag("misfire-window", o.misfire_window, "and not what is older [all: 1h, one: no limit]", "DURATION");
  put.flag("dst-gap", o.dst_gap, "a time that a clock change leaves out: shift or skip [shift]", "POLICY");
  put.flag("dst-overlap", o.dst_overlap, "a time that comes twice: first or both [first]", "POLICY");
  put.flag("file", o.file, "the whole definition as JSON, instead of flags; - is standard input", "FILE");
  put.app().add_flag("--paused", o.paused, "made paused; left out, it stays as it is")->envname(put.variable_of("paused"));
  add_task_flags(put, chosen.submit);
  verb(verbs::get, "get", "Show a schedule");
  verb(verbs::remove, "delete", "Delete a schedule; its tasks stay");
  verb(verbs::pause, "pause", "Fire no more");
  verb(verbs::resume, "resume", "Fire again, from the next instant on");
  auto trigger = verb(verbs::trigger, "trigger", "Submit its task now, and print the task's id");
  auto backfill = verb(verbs::backfill, "backfill", "Submit a task for each instant of a past range that has none");
  backfill.flag("from", o.from, "both ends count", "TIME")->required();
  backfill.flag("until", o.until, "", "TIME")->required();
  for (auto* b : {&trigger, &backfill})
    b->app().add_flag("--allow-overlap", o.allow_overlap, "whatever the overlap policy says")->envname(b->variable_of("allow-overlap"));
  verb(verbs::preview, "preview", "Print the next instants").flag("count", o.count, "how many", "N")->check(CLI::Range(1, 1'000))->capture_default_str();
  auto list = verb(verbs::list, "list", "List schedules by name");
  auto ledger = verb(verbs::ledger, "ledger", "List what did not fire, and why, newest first");
  for (auto* b : {&list, &ledger}) {
    b->flag("limit", o.limit, "a page's length", "N")->check(CLI::Range(1, 1'000))->capture_default_str();
    b->flag("cursor", o.cursor, "go on where a page said", "CURSOR");
  }
}

void add_edit(CLI::App& app, client_request& chosen) {
  command_builder edit(app, chosen, client_request::command::edit, "edit", "Change a task that waits; what is not named stays, \"none\" is the default");
  auto& o = chosen.submit;
  edit.word("id", chosen.id, "the task's id")->required()->type_name("ID");
  edit.flag("payload", o.payload, "as JSON; @FILE reads a file, - standard input", "JSON");
  edit.flag("queue", o.queue, "to another queue", "NAME");
  auto* run_at = edit.flag("run-at", o.run_at, "not before, RFC 3339 with an offset", "TIME");
  edit.flag("delay", o.delay, "not before this long from now; 0s is at once", "DURATION")->excludes(run_at);
  edit.flag("priority", o.priority, "0 to 9, 9 first", "N");
  edit.flag("timeout", o.timeout, "a run that takes longer is ended", "DURATION");
  edit.flag("heartbeat-timeout", o.heartbeat_timeout, "a run that reports no progress for so long is stopped", "DURATION");
  edit.flag("expires-at", o.expires_at, "not started by then: expired", "TIME");
  edit.flag("max-attempts", o.max_attempts, "", "N");
  edit.flag("concurrency-key", o.concurrency_key, "", "KEY");
  edit.flag("label", o.labels, "all of its labels anew; repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  edit.flag("retry-initial", o.retry_initial, "", "DURATION");
  edit.flag("retry-factor", o.retry_factor, "", "X");
  edit.flag("retry-max", o.retry_max, "", "DURATION");
  edit.flag("retry-jitter", o.retry_jitter, "", "X");
}

void add_one_or_many(CLI::App& app, client_request& chosen, client_request::command what, const char* name, const char* help,
                     const char* state) {
  command_builder builder(app, chosen, what, name, help);
  auto& o = chosen.bulk;
  builder.word("id", chosen.id, "the task's id; without one, flags say which tasks")->type_name("ID");
  builder.flag("queue", o.queue, "only of this queue", "NAME");
  builder.flag("kind", o.kind, "only of this kind", "KIND");
  builder.flag("group", o.group, "only of this group", "GROUP");
  builder.flag("state", o.state, state, "STATE");
  builder.flag("reason", o.reason, "only with this reason, such as lost or timeout", "REASON");
  if (what == client_request::command::retry) builder.flag("rate", o.rate, "so many become due in a period: 10/1s [all at once]", "RATE");
  builder.flag("label", o.labels, "only with this label; repeatable", "NAME=VALUE")->take_all()->allow_extra_args(false);
  builder.app().add_flag("--dry-run", o.dry_run, "only count what matches")->envname(builder.variable_of("dry-run"));
}

} // namespace

void add_client_commands(CLI::App& app, client_request& chosen) {
  using command = client_request::command;
  add_submit(app, chosen);
  add_list(app, chosen);
  add_queue(app, chosen);
  add_schedule(app, chosen);
  add_edit(app, chosen);
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
  command_builder events(app, chosen, command::events, "events", "Follow what happens to tasks, a line each, until interrupted");
  auto& o = chosen.events;
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* help, const char* type) {
    events.flag(name, values, help, type)->take_all()->allow_extra_args(false);
  };
  list("queue", o.queues, "only of this queue; repeatable", "NAME");
  list("kind", o.kinds, "only of this kind; repeatable", "KIND");
  list("state", o.states, "only into this state; repeatable", "STATE");
  list("task", o.tasks, "only of this task; repeatable", "ID");
  list("label", o.labels, "only with this label; repeatable, all have to match", "NAME=VALUE");
  events.flag("after", o.after, "go on after this event's id [from now on]", "ID");
  events.flag("count", o.count, "end after so many [without end]", "N");
  command_builder(app, chosen, command::queues, "queues", "List queues with what waits and runs in each");
  command_builder(app, chosen, command::workers, "workers", "List workers with what each holds");
}

} // namespace taskmaster
