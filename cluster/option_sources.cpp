#include "cluster/option_sources.hpp"

#include "cluster/nearest_name.hpp"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <toml++/toml.h>

namespace taskmaster {
namespace {

constexpr auto config_variable = "TASKMASTER_CONFIG";

std::vector<CLI::App*> commands_of(CLI::App& app) {
  return app.get_subcommands([](CLI::App*) { return true; });
}

void each_option(CLI::App& app, const std::function<void(CLI::Option&)>& visit) {
  for (auto* option : app.get_options()) visit(*option);
  for (auto* command : commands_of(app)) each_option(*command, visit);
}

/// "slots" of "--slots"; empty for words, which no file may give, and for --help and --version.
std::string key_of(const CLI::Option& option) {
  return option.get_lnames().empty() || !option.get_configurable() ? "" : option.get_lnames().front();
}

CLI::Option* option_of(CLI::App& app, std::string_view key) {
  for (auto* option : app.get_options())
    if (!key.empty() && key_of(*option) == key) return option;
  return nullptr;
}

std::string place(const toml::node& node) {
  std::ostringstream out;
  if (node.source().path) out << *node.source().path << ", ";
  out << "line " << node.source().begin.line;
  return out.str();
}

CLI::App* command_of(CLI::App& app, std::string_view name) {
  for (auto* command : commands_of(app))
    if (command->get_name() == name) return command;
  return nullptr;
}

/// A value as a flag would have it.
std::string text_of(const toml::node& node, const std::string& key) {
  if (const auto* s = node.as_string()) return **s;
  if (const auto* b = node.as_boolean()) return **b ? "true" : "false";
  std::ostringstream out;
  if (const auto* i = node.as_integer()) out << **i;
  else if (const auto* f = node.as_floating_point()) out << **f;
  else throw CLI::ConfigError(place(node) + ": " + key + " has to be a text, a number, true, false, or an array of these", CLI::ExitCodes::ConfigError);
  return out.str();
}

std::vector<std::string> texts_of(const toml::node& node, const std::string& key) {
  std::vector<std::string> out;
  if (const auto* array = node.as_array())
    for (const auto& one : *array) out.push_back(text_of(one, key));
  else out.push_back(text_of(node, key));
  return out;
}

/// Compares every key of the file with the options that there are, in the sections of other commands too: a mistyped key would
/// otherwise be found by nobody.
void check_keys(const toml::table& table, CLI::App& app, CLI::App& root, const std::string& section) {
  for (const auto& [name, node] : table) {
    const std::string key(name.str());
    auto* command = command_of(app, key);
    if (const auto* inner = node.as_table()) {
      if (!command) {
        std::vector<std::string> names;
        for (const auto* c : commands_of(app)) names.push_back(c->get_name());
        throw CLI::ConfigError(place(node) + ": there is no section [" + section + key + "], since there is no such command" + did_you_mean(key, names),
                               CLI::ExitCodes::ConfigError);
      }
      check_keys(*inner, *command, root, section + key + ".");
      continue;
    }
    if (option_of(app, key) || option_of(root, key)) {
      texts_of(node, key);
      continue;
    }
    std::vector<std::string> names;
    for (auto* a : {&app, &root})
      for (auto* option : a->get_options())
        if (const auto k = key_of(*option); !k.empty()) names.push_back(k);
    const auto where = section.empty() ? std::string("at the top (the options of a command stand in a section of its name)")
                                       : "in section [" + section.substr(0, section.size() - 1) + "]";
    throw CLI::ConfigError(place(node) + ": \"" + key + "\" is no option " + where + did_you_mean(key, names), CLI::ExitCodes::ConfigError);
  }
}

} // namespace

option_sources::option_sources(CLI::App& app) : app_(app) {
  if (const auto* named = std::getenv(config_variable)) file_ = named;
  // CLI11 calls from_config() only when there is a file. Without one it reads /dev/null, and the variables are still asked for.
  config_ = app.set_config("--config", file_.empty() ? "/dev/null" : file_, "a TOML file; a section for each command (Env:TASKMASTER_CONFIG)");
  config_->configurable(false)->type_name("FILE");
  each_option(app, [this](CLI::Option& option) {
    if (option.get_envname().empty()) return;
    variables_[&option] = option.get_envname();
    option.envname("");
  });
}

std::vector<CLI::ConfigItem> option_sources::from_config(std::istream& file) const {
  const auto named = config_->count() > 0 ? config_->as<std::string>() : file_;
  toml::table table;
  try {
    table = toml::parse(file, named);
  } catch (const toml::parse_error& e) {
    std::ostringstream out;
    out << named << ", line " << e.source().begin.line << ", column " << e.source().begin.column << ": " << e.description();
    throw CLI::ConfigError(out.str(), CLI::ExitCodes::ConfigError);
  }
  check_keys(table, app_, app_, "");

  std::vector<CLI::ConfigItem> items;
  const auto answer = [&](CLI::Option& option, const std::vector<std::string>& parents, const std::vector<const toml::table*>& sections) {
    const auto key = key_of(option);
    if (key.empty() || option.count() > 0) return;
    if (const auto names = variables_.find(&option); names != variables_.end())
      for (const auto& name : CLI::detail::split(names->second, ','))
        if (const auto* value = std::getenv(name.c_str()); value && *value) {
          items.push_back({parents, key, {value}});
          sources_["--" + key] = name;
          return;
        }
    for (const auto* section : sections)
      if (const auto* node = section->get(key)) {
        items.push_back({parents, key, texts_of(*node, key)});
        sources_["--" + key] = place(*node);
        return;
      }
  };

  std::vector<std::string> path;
  std::vector<const toml::table*> sections{&table};
  CLI::App* app = &app_;
  const toml::table* here = &table;
  for (auto chosen = app_.get_subcommands(); !chosen.empty(); chosen = app->get_subcommands()) {
    app = chosen.front();
    path.push_back(app->get_name());
    here = here ? here->get_as<toml::table>(app->get_name()) : nullptr;
    if (here) sections.insert(sections.begin(), here);
    for (auto* option : app->get_options()) answer(*option, path, here ? std::vector{here} : std::vector<const toml::table*>{});
  }
  for (auto* option : app_.get_options()) answer(*option, {}, sections);
  return items;
}

void option_sources::require_file() const {
  if (config_->count() == 0 && !file_.empty() && !std::ifstream(file_).good())
    throw CLI::FileError(std::string(config_variable) + " names " + file_ + ", which cannot be read", CLI::ExitCodes::FileError);
}

void option_sources::show_variables() {
  config_->default_str(file_);
  for (const auto& [option, names] : variables_) const_cast<CLI::Option*>(option)->envname(names);
}

std::string option_sources::source_of(const std::string& sentence) const {
  for (const auto& [flag, source] : sources_) {
    const auto at = sentence.find(flag);
    if (at == sentence.npos) continue;
    const auto end = at + flag.size();
    const bool whole = end == sentence.size() || (sentence[end] != '-' && !std::isalnum(static_cast<unsigned char>(sentence[end])));
    if (whole) return " (from " + source + ")";
  }
  return "";
}

} // namespace taskmaster
