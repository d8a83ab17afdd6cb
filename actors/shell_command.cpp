#include "actors/shell_command.hpp"

#include "actors/payload_reader.hpp"

namespace taskmaster {

expected<shell_command> parse_shell_payload(std::string_view payload) {
  payload_reader reader(payload);
  shell_command result;
  const auto command = reader.text("command");
  const auto* argv = reader.field("argv");
  const bool has_command = reader.field("command") != nullptr;
  if (has_command && argv) {
    reader.fault("/argv excludes /command: give one of them");
  } else if (!has_command && !argv) {
    reader.fault("/command is missing: give a shell command, or /argv");
  } else if (command) {
    if (command->empty()) reader.fault("/command is empty");
    // "--": a command that starts with a dash is not an option of the shell.
    result.argv = {"/bin/sh", "-c", "--", *command};
  } else if (argv) {
    if (!argv->is_array() || argv->empty()) {
      reader.fault("/argv has to be an array of strings, the program first");
    } else {
      for (std::size_t i = 0; i < argv->size(); ++i) {
        const auto& entry = (*argv)[i];
        const auto name = "/argv/" + std::to_string(i);
        if (!entry.is_string()) {
          reader.fault(name + " has to be a string");
          break;
        }
        result.argv.push_back(entry.get<std::string>());
        if (result.argv.back().find('\0') != std::string::npos)
          reader.fault(name + " contains a NUL character, which no program can be given");
      }
      if (!result.argv.empty() && result.argv[0].empty()) reader.fault("/argv/0 is empty: it names the program");
    }
  }
  result.env = reader.texts("env");
  for (const auto& [name, value] : result.env)
    if (name.empty() || name.find('=') != name.npos)
      reader.fault(pointer("env", name) + " cannot be a variable's name: it is empty or contains \"=\"");
  const auto cwd = reader.text("cwd");
  if (cwd && cwd->empty()) reader.fault("/cwd is empty: leave it out for the worker's own directory");
  result.cwd = cwd.value_or("");
  if (const auto* input = reader.field("stdin")) {
    // Unlike arguments, input may well contain NUL.
    if (input->is_string())
      result.input = input->get<std::string>();
    else
      reader.fault("/stdin has to be a string");
  }
  if (auto fault = reader.first_fault()) return error(ec::invalid_argument, *fault);
  return result;
}

std::vector<std::string> shell_environment(const std::vector<std::string>& inherited, const shell_command& command,
                                           const execution& run) {
  std::map<std::string, std::string> all;
  for (const auto& entry : inherited)
    if (const auto equals = entry.find('='); equals != entry.npos)
      all[entry.substr(0, equals)] = entry.substr(equals + 1);
  for (const auto& [name, value] : command.env) all[name] = value;
  all["TASKMASTER_TASK_ID"] = run.task.str();
  all["TASKMASTER_ATTEMPT"] = std::to_string(run.attempt);
  all["TASKMASTER_FENCE"] = run.fence;
  all["TASKMASTER_PROGRESS"] = "/dev/fd/3";
  all.erase("TASKMASTER_CHECKPOINT"); // a worker may itself run as a task
  if (run.checkpoint) all["TASKMASTER_CHECKPOINT"] = *run.checkpoint;
  std::vector<std::string> result;
  for (const auto& [name, value] : all) result.push_back(name + "=" + value);
  return result;
}

std::vector<std::string> program_candidates(const std::string& program,
                                            const std::vector<std::string>& environment) {
  if (program.find('/') != program.npos) return {program};
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const auto& entry : environment)
    if (entry.rfind("PATH=", 0) == 0) path = entry.substr(5);
  std::vector<std::string> result;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const auto end = std::min(path.find(':', begin), path.size());
    // An empty entry means the current directory, as for every shell.
    const auto directory = path.substr(begin, end - begin);
    result.push_back(directory.empty() ? "./" + program : directory + "/" + program);
    begin = end + 1;
  }
  return result;
}

} // namespace taskmaster
