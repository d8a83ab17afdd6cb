// Where the value of an option comes from: flag, then environment variable, then file, then default. main() has one; CLI11 asks it, after
// it has read the command line, for what the flags left open. One thread.
//
// CLI11 itself would read the variables of *every* command, also of those that were not named, and all of them share one variable for the
// value: `TASKMASTER_SERVER=a taskmaster cancel --server b` then cancelled at a. So this class takes the names of the variables away from
// CLI11 and answers for the chosen command alone. The file is TOML, read by toml++, since CLI11 has no real TOML parser (a `#` inside of a
// text begins a comment there).
#pragma once
#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace taskmaster {

class option_sources : public CLI::Config {
public:
  /// Reads which variable each option of `app` and of its commands has (`envname`, several by commas: the first that is set counts).
  /// Adds --config. `app` must outlive this.
  explicit option_sources(CLI::App& app);

  /// The options of the chosen command that no flag gave a value, with the value from their variable or from the file. Every key of the
  /// file is compared with the options first, of every command. Throws CLI::ConfigError with a sentence for the user.
  std::vector<CLI::ConfigItem> from_config(std::istream& file) const override;
  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return ""; }

  /// The file that TASKMASTER_CONFIG names cannot be read: throws. (CLI11 says so itself of --config.)
  void require_file() const;
  /// Gives CLI11 the names of the variables back, for --help.
  void show_variables();
  /// " (from TASKMASTER_SLOTS)" or " (from node.toml)" if `sentence` is about an option that has its value from there, else nothing.
  std::string source_of(const std::string& sentence) const;

private:
  CLI::App& app_;
  std::string file_; // of TASKMASTER_CONFIG
  CLI::Option* config_ = nullptr;
  std::map<const CLI::Option*, std::string> variables_; // by commas
  mutable std::map<std::string, std::string> sources_;  // "--slots" → "TASKMASTER_SLOTS"
};

} // namespace taskmaster
