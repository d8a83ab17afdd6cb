#include "cluster/command_line.hpp"

#include "cluster/nearest_name.hpp"
#include "cluster/option_sources.hpp"

#include <algorithm>

namespace taskmaster {
namespace {

/// The command that was named last: `queue set` for "queue set mail".
const CLI::App* chosen_of(const CLI::App& app) {
  const auto* chosen = &app;
  while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
  return chosen;
}

std::string path_of(const CLI::App& app) {
  return (app.get_parent() ? path_of(*app.get_parent()) + " " : "") + app.get_name();
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* c : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(c->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

} // namespace

command_line::command_line()
    : app_(std::make_unique<CLI::App>("TaskMaster: a durable task scheduler. Tasks over HTTP, gRPC or SQL; PostgreSQL remembers; workers in any language.\n"
                                      "Every flag is also a TASKMASTER_… variable and a key of a TOML file (--config). The flag counts first, then the "
                                      "variable, then the file.",
                                      "taskmaster")) {
  app_->require_subcommand(0, 1);
  app_->set_version_flag("--version", "taskmaster 0.1.0");
  add_node_commands(*app_, node);
  add_client_commands(*app_, client);
  add_doctor_command(*app_, doctor);
  add_bench_command(*app_, bench);
  sources_ = std::make_shared<option_sources>(*app_);
  app_->config_formatter(sources_);
}

command_line::~command_line() = default;

std::optional<int> command_line::parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  try {
    sources_->require_file();
    app_->parse(argc, argv);
  } catch (const CLI::Success& e) { // --help, --version
    sources_->show_variables();
    return app_->exit(e, out, err);
  } catch (const CLI::ParseError& e) {
    const auto& chosen = *chosen_of(*app_);
    err << "taskmaster: " << fault_sentence(e) << '\n' << path_of(chosen) << " --help says what there is\n";
    return exit_codes::usage;
  }
  if (app_->get_subcommands().empty()) {
    err << app_->help();
    return exit_codes::usage;
  }
  return std::nullopt;
}

std::string command_line::fault_sentence(const CLI::ParseError& fault) const {
  const std::string said = fault.what();
  if (dynamic_cast<const CLI::FileError*>(&fault) || dynamic_cast<const CLI::ConfigError*>(&fault)) return said;
  const auto& chosen = *chosen_of(*app_);
  // A mistyped flag leaves its value behind, which CLI11 then takes for a word or blames first.
  const auto left = app_->remaining(true);
  for (const auto& word : left)
    if (word.size() > 1 && word[0] == '-' && word != "--") {
      const auto flag = word.substr(0, word.find('='));
      const auto of_all = flag_names(*app_);
      if (std::find(of_all.begin(), of_all.end(), flag) != of_all.end())
        return flag + " is a flag of every command and stands before it: taskmaster " + flag + " … " + chosen.get_name();
      return path_of(chosen) + " has no flag " + flag + did_you_mean(flag, flag_names(chosen));
    }
  if (const auto names = command_names(chosen); !names.empty()) {
    if (left.empty()) return path_of(chosen) + " needs one of the commands " + list_of(names);
    return path_of(chosen) + " has no command \"" + left.front() + "\"" + did_you_mean(left.front(), names) +
           (chosen.get_parent() ? " There are " + list_of(names) : "");
  }
  if (!left.empty()) return path_of(chosen) + " does not know what to do with \"" + left.front() + "\"";
  return said + sources_->source_of(said);
}

} // namespace taskmaster
