// Where an option's value comes from, and what a mistyped command line is answered. The options are enumerated from the parser, so that one
// which is added later is tested too.
#include "cluster/command_line.hpp"
#include "tests/catch.hpp"
#include "tests/cluster/temporary_folder.hpp"

#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include <CLI/CLI.hpp>

using namespace taskmaster;

namespace {

using words = std::vector<std::string>;

struct outcome {
  std::optional<int> code;
  std::string said;
};

outcome parse(command_line& line, const words& arguments) {
  std::vector<const char*> argv{"taskmaster"};
  for (const auto& a : arguments) argv.push_back(a.c_str());
  std::ostringstream out, err;
  const auto code = line.parse(static_cast<int>(argv.size()), argv.data(), out, err);
  return {code, out.str() + err.str()};
}

outcome parse(const words& arguments) {
  command_line line;
  return parse(line, arguments);
}

/// An option of a command that can be named: `path` leads to it, `needed` is what that command requires besides.
struct place {
  words path;
  std::string key;
  words needed;
  bool flag = false; // takes no value of its own: --quick
  bool of_all = false; // an option of the program itself, such as --log-level
  std::set<std::string> variables;
};

CLI::App* command_at(CLI::App& app, const words& path) {
  auto* at = &app;
  for (const auto& name : path) at = at->get_subcommand(name);
  return at;
}

CLI::Option* option_at(command_line& line, const place& p) {
  return command_at(line.app(), p.of_all ? words{} : p.path)->get_option("--" + p.key);
}

words command_words(const place& p, const words& before = {}) {
  words all = before;
  all.insert(all.end(), p.path.begin(), p.path.end());
  all.insert(all.end(), p.needed.begin(), p.needed.end());
  return all;
}

/// The names that --help shows as (Env:A,B).
std::set<std::string> variables_of(const CLI::Option& option, const std::string& help) {
  std::set<std::string> names;
  const auto at = help.find("\n  --" + option.get_lnames().front() + " ");
  const auto from = help.find("(Env:", at);
  if (at == help.npos || from == help.npos || help.find("\n  --", at + 1) < from) return names;
  for (const auto& name : CLI::detail::split(help.substr(from + 5, help.find(')', from) - from - 5), ',')) names.insert(name);
  return names;
}

std::vector<place> all_places() {
  std::vector<place> places;
  command_line line;
  const std::function<void(CLI::App&, const words&)> walk = [&](CLI::App& app, const words& path) {
    const auto commands = app.get_subcommands([](CLI::App*) { return true; });
    for (auto* c : commands) {
      auto deeper = path;
      deeper.push_back(c->get_name());
      walk(*c, deeper);
    }
    if (!commands.empty()) return;
    words help_words = path;
    help_words.push_back("--help");
    const auto help = parse(help_words).said;
    words needed;
    for (const auto* o : app.get_options())
      if (o->get_required()) {
        if (!o->get_lnames().empty()) needed.push_back("--" + o->get_lnames().front());
        needed.push_back(o->get_lnames().empty() ? "x" : "127.0.0.1:1");
      }
    for (const auto* o : app.get_options()) {
      if (o->get_lnames().empty() || !o->get_configurable()) continue;
      place p{path, o->get_lnames().front(), needed, o->get_expected_min() == 0, false, variables_of(*o, help)};
      if (o->get_required()) // it is what is tested, so it is not given beforehand
        for (auto at = p.needed.begin(); at != p.needed.end(); ++at)
          if (*at == "--" + p.key) {
            p.needed.erase(at, at + 2);
            break;
          }
      places.push_back(std::move(p));
    }
  };
  walk(line.app(), {});
  const auto help = parse({"--help"}).said;
  for (const auto* o : line.app().get_options())
    if (!o->get_lnames().empty() && o->get_configurable())
      places.push_back({{"migrate"}, o->get_lnames().front(), {}, o->get_expected_min() == 0, true, variables_of(*o, help)});
  return places;
}

std::string flag_text(const place& p, const std::string& value) { return "--" + p.key + "=" + value; }

/// Some values that the option takes; at least two, or the list of candidates needs another.
words accepted_values(const place& p) {
  static const words candidates = {"1", "2", "3", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "table", "json", "text", "a", "b", "c", "1s", "2s", "3s",
                                   "true", "false", "shell", "http", "noop", "scheduled", "ready", "running", "debug", "warn", "error",
                                   "drain_per_s", "lateness_ms", "on", "off"};
  words found;
  for (const auto& value : candidates) {
    if (p.flag && value != "true" && value != "false") continue;
    auto all = command_words(p, p.of_all ? words{flag_text(p, value)} : words{});
    if (!p.of_all) all.push_back(flag_text(p, value));
    if (!parse(all).code) found.push_back(value);
    if (found.size() == 3) break;
  }
  return found;
}

/// Sets a variable for as long as it lives.
class variable {
public:
  variable(const std::string& name, const std::string& value) : name_(name) { setenv(name.c_str(), value.c_str(), 1); }
  ~variable() { unsetenv(name_.c_str()); }
  variable(const variable&) = delete;

private:
  std::string name_;
};

std::string named(const place& p) {
  std::string text;
  for (const auto& word : p.path) text += word + " ";
  return (p.of_all ? "" : text) + "--" + p.key;
}

std::string file_text(const place& p, const std::string& key, const std::string& value) {
  std::string section;
  for (const auto& word : p.path) section += (section.empty() ? "" : ".") + word;
  return (p.of_all ? "" : "[" + section + "]\n") + key + " = \"" + value + "\"\n";
}

/// The option's value, given the sources that have one. Fails when another option has got a value too.
std::string value_from(const place& p, const std::optional<std::string>& flag, const std::optional<std::string>& environment, const std::filesystem::path& file) {
  std::vector<std::unique_ptr<variable>> set;
  if (environment)
    for (const auto& name : p.variables) set.push_back(std::make_unique<variable>(name, *environment));
  words before;
  if (!file.empty()) before = {"--config", file.string()};
  if (flag && p.of_all) before.push_back(flag_text(p, *flag));
  auto all = command_words(p, before);
  if (flag && !p.of_all) all.push_back(flag_text(p, *flag));
  command_line line;
  const auto parsed = parse(line, all);
  INFO(parsed.said);
  REQUIRE_FALSE(parsed.code);
  const auto* option = option_at(line, p);
  const std::function<void(CLI::App&)> look = [&](CLI::App& app) {
    for (const auto* o : app.get_options()) {
      // Another option of the chosen command may read the same variable (submit's and put's); none of another command may.
      const bool chosen = &app == &line.app() || app.parsed();
      INFO(app.get_name() << " " << o->get_name());
      if (!chosen) CHECK(o->count() == 0);
    }
    for (auto* c : app.get_subcommands([](CLI::App*) { return true; })) look(*c);
  };
  look(line.app());
  return option->count() == 0 ? "" : option->results().front();
}

} // namespace

TEST_CASE("each option of each command has a variable and takes flag, then variable, then file") {
  temporary_folder folder;
  const auto places = all_places();
  REQUIRE(places.size() > 150);
  for (const auto& p : places) {
    INFO(named(p));
    CHECK_FALSE(p.variables.empty());
    const auto values = accepted_values(p);
    REQUIRE(values.size() >= 2);
    const auto& first = values[0];
    const auto& second = values[1];
    const auto& third = values.size() > 2 ? values[2] : values[0];
    const auto file = folder.path / "node.toml";
    std::ofstream(file) << file_text(p, p.key, third);
    CHECK(value_from(p, first, second, file) == first);
    CHECK(value_from(p, second, first, {}) == second);
    CHECK(value_from(p, second, std::nullopt, file) == second);
    CHECK(value_from(p, std::nullopt, second, file) == second);
    CHECK(value_from(p, std::nullopt, first, {}) == first);
    CHECK(value_from(p, std::nullopt, std::nullopt, file) == third);
  }
}

TEST_CASE("a mistyped key or section of the file is refused and the nearest one named") {
  temporary_folder folder;
  const auto file = folder.path / "node.toml";
  for (const auto& p : all_places()) {
    auto key = p.key;
    key.insert(key.size() / 2, "x");
    INFO(named(p) << " as " << key);
    std::ofstream(file) << file_text(p, key, "1");
    // Whichever command runs: a key of another one's section would otherwise be found wrong much later.
    const auto answer = parse(words{"--config", file.string(), "list"});
    CHECK(answer.code == 2);
    CHECK(answer.said.find("\"" + key + "\" is no option") != std::string::npos);
    CHECK(answer.said.find("did you mean ") != std::string::npos);
    if (p.of_all) continue;
    auto wrong = p;
    wrong.path.front() += "q";
    std::ofstream(file) << file_text(wrong, p.key, "1");
    const auto section = parse(words{"--config", file.string(), "list"});
    CHECK(section.code == 2);
    CHECK(section.said.find("did you mean " + p.path.front()) != std::string::npos);
  }
}

TEST_CASE("a variable of a command that was not named changes nothing") {
  variable server("TASKMASTER_SERVER", "production:1");
  variable output("TASKMASTER_OUTPUT", "json");
  command_line line;
  REQUIRE_FALSE(parse(line, {"cancel", "--server", "staging:2", "--output", "table", "x"}).code);
  CHECK(line.client.server == "staging:2");
  CHECK(line.client.output == "table");
}

TEST_CASE("the file is TOML: numbers, lists, quoted texts with a hash in them") {
  temporary_folder folder;
  const auto file = folder.path / "node.toml";
  std::ofstream(file) << "log-level = 'warn' # for the night\n[worker]\nslots = 7\nqueues = ['mail', \"bulk\"]\ncoordinator = 'a:1'\nname = 'w#1'\n";
  command_line line;
  REQUIRE_FALSE(parse(line, words{"--config", file.string(), "worker"}).code);
  CHECK(line.node.slots == 7);
  CHECK(line.node.queues == std::vector<std::string>{"mail", "bulk"});
  CHECK(line.node.name == "w#1");
  CHECK(line.node.log_level == "warn");
}

TEST_CASE("a fault of a value says where the value came from") {
  variable slots("TASKMASTER_SLOTS", "many");
  const auto answer = parse({"worker", "--coordinator", "a:1"});
  CHECK(answer.code == 2);
  CHECK(answer.said.find("--slots") != std::string::npos);
  CHECK(answer.said.find("(from TASKMASTER_SLOTS)") != std::string::npos);
}

TEST_CASE("a mistyped command line is answered with what was probably meant") {
  const auto said = [](const words& arguments) {
    const auto answer = parse(arguments);
    CHECK(answer.code == 2);
    return answer.said.substr(0, answer.said.find('\n'));
  };
  CHECK(said({"submit", "--priorty", "3", "shell"}) == "taskmaster: taskmaster submit has no flag --priorty; did you mean --priority?");
  CHECK(said({"submit", "shell", "--prioirty=3"}) == "taskmaster: taskmaster submit has no flag --prioirty; did you mean --priority?");
  CHECK(said({"lst"}) == "taskmaster: taskmaster has no command \"lst\"; did you mean list?");
  CHECK(said({"frobnicate"}) == "taskmaster: taskmaster has no command \"frobnicate\"");
  CHECK(said({"queue", "pasue", "mail"}).find("did you mean pause?") != std::string::npos);
  CHECK(said({"queue"}).find("needs one of the commands list, get, set, pause, resume") != std::string::npos);
  CHECK(said({"list", "everything"}) == "taskmaster: taskmaster list does not know what to do with \"everything\"");
  CHECK(said({"list", "--config", "x"}).find("--config is a flag of every command and stands before it") != std::string::npos);
  variable missing("TASKMASTER_CONFIG", "/nowhere/node.toml");
  CHECK(said({"list"}) == "taskmaster: TASKMASTER_CONFIG names /nowhere/node.toml, which cannot be read");
}

TEST_CASE("each command's flags, one letter wrong, are answered with that flag") {
  for (const auto& p : all_places()) {
    if (p.of_all) continue;
    auto key = p.key;
    key.insert(key.size() / 2, "x");
    auto all = command_words(p);
    all.push_back("--" + key);
    all.push_back("1");
    INFO(named(p) << " as --" << key);
    const auto answer = parse(all);
    CHECK(answer.code == 2);
    CHECK(answer.said.find("has no flag --" + key + "; did you mean --") != std::string::npos);
  }
}
