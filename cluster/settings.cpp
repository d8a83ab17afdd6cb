#include "cluster/settings.hpp"

#include "schema/task.hpp"
#include "schema/time.hpp"

#include <CLI/CLI.hpp>

namespace taskmaster {
namespace {

/// host:port with a numeric port; host may be empty for "every address".
std::string check_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size()) return "'" + text + "' is no host:port";
  const auto port = text.substr(colon + 1);
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535)
    return "'" + port + "' is no port (0 to 65535)";
  return "";
}

std::string check_name(const std::string& text) {
  return valid_name(text) ? "" : "'" + text + "' is not of [a-z0-9_.-]{1,64}";
}

std::string check_duration(const std::string& text) {
  const auto d = parse_duration(text);
  return d ? "" : d.failure().message;
}

} // namespace

void add_node_commands(CLI::App& app, node_settings& s) {
  using role = node_settings::role;
  const auto command = [&](const char* name, const char* text, role what) {
    auto* c = app.add_subcommand(name, text);
    c->fallthrough(); // --config and --log-… may stand behind the command too
    c->callback([&s, what] { s.what = what; });
    return c;
  };
  const auto database = [&](CLI::App* c) {
    c->add_option("--database", s.database, "PostgreSQL as a libpq URI")->envname("TASKMASTER_DATABASE,DATABASE_URL");
  };
  const auto http = [&](CLI::App* c) {
    c->add_option("--http", s.http, "where to serve HTTP; port 0 picks a free one")->envname("TASKMASTER_HTTP")->check(check_address)->capture_default_str();
  };
  const auto grpc = [&](CLI::App* c) {
    c->add_option("--grpc", s.grpc, "where to serve gRPC; port 0 picks a free one")->envname("TASKMASTER_GRPC")->check(check_address)->capture_default_str();
  };
  const auto find_coordinator = [&](CLI::App* c) {
    c->add_option("--coordinator", s.coordinators, "host:port of each coordinator, by commas")
        ->envname("TASKMASTER_COORDINATOR")->delimiter(',')->check(check_address)->required();
  };
  const auto slots = [&](CLI::App* c) {
    c->add_option("--slots", s.slots, "tasks run at the same time (default: cores, at least 4)")->envname("TASKMASTER_SLOTS")->check(CLI::Range(1, 10'000));
    c->add_option("--prefetch", s.prefetch, "the most tasks held beyond the slots, and only while tasks end within 10 ms; 400 suits tasks of a millisecond")
        ->envname("TASKMASTER_PREFETCH")->check(CLI::Range(0, 10'000))->capture_default_str();
    c->add_option("--queues", s.queues, "queues to serve, by commas (default: every one)")->envname("TASKMASTER_QUEUES")->delimiter(',')->check(check_name);
    c->add_option("--kinds", s.kinds, "kinds to run, by commas (default: all of shell, http, noop, sleep, echo, fail; webhook with a secret)")
        ->envname("TASKMASTER_KINDS")->delimiter(',')->check(CLI::IsMember({"shell", "http", "noop", "sleep", "echo", "fail", "webhook"}));
    c->add_option("--webhook-secret", s.webhook_secrets,
                  "whsec_BASE64, or HOST=whsec_BASE64: signs webhooks; better in the variable or the file, since others see a command's flags. By commas: "
                  "while a secret is changed, both sign")
        ->envname("TASKMASTER_WEBHOOK_SECRET")->delimiter(',')->type_name("SECRET");
    c->add_option("--webhook-allow", s.webhook_hosts, "hosts that webhooks may go to, by commas; .example.org is every host below it (default: every one)")
        ->envname("TASKMASTER_WEBHOOK_ALLOW")->delimiter(',')->type_name("HOST");
  };
  const auto name = [&](CLI::App* c) {
    c->add_option("--name", s.name, "its name in logs and lists (default: the host's)")->envname("TASKMASTER_NAME");
  };
  const auto retention = [&](CLI::App* c) {
    c->add_option("--retention", s.retention, "how long finished tasks are kept")->envname("TASKMASTER_RETENTION")->check(check_duration)->capture_default_str();
  };

  auto* up = command("up", "everything in one process, over a PostgreSQL of its own", role::up);
  up->add_option("--data", s.data, "folder of that PostgreSQL (default: /var/lib/taskmaster for root, else ~/.local/share/taskmaster)")->envname("TASKMASTER_DATA");
  up->add_option("--database", s.database, "use this PostgreSQL instead (libpq URI)")->envname("TASKMASTER_DATABASE");
  http(up), grpc(up), slots(up), name(up), retention(up);

  auto* scheduler = command("scheduler", "take tasks over HTTP and gRPC, store them, tell the coordinator", role::scheduler);
  database(scheduler), http(scheduler), grpc(scheduler), find_coordinator(scheduler);

  auto* coordinator = command("coordinator", "hand tasks out and record outcomes; several stand by for each other", role::coordinator);
  database(coordinator), grpc(coordinator), name(coordinator), retention(coordinator);
  coordinator->add_option("--advertise", s.advertise, "host:port that workers and schedulers reach it at (default: from --grpc and the host's name)")
      ->envname("TASKMASTER_ADVERTISE")->check(check_address);
  coordinator->add_option("--metrics", s.metrics, "host:port to serve /metrics and /healthz over HTTP (default: nowhere)")
      ->envname("TASKMASTER_METRICS")->check(check_address);

  auto* worker = command("worker", "run tasks", role::worker);
  find_coordinator(worker), slots(worker), name(worker);

  auto* migrate = command("migrate", "bring the database's schema up to date, then exit", role::migrate);
  database(migrate);
  migrate->add_option("--wait", s.wait, "wait so long for a database that is not there yet")->envname("TASKMASTER_MIGRATE_WAIT")->check(check_duration)->capture_default_str();

  app.add_option("--log-format", s.log_format, "text or json")->envname("TASKMASTER_LOG_FORMAT")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  app.add_option("--log-level", s.log_level, "debug, info, warn or error")->envname("TASKMASTER_LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))->capture_default_str();
}

} // namespace taskmaster
