// The whole command line of the binary: its commands with their flags, where values come from, and what is said to who mistypes. Used by
// main() and by the tests that walk all options. One thread.
#pragma once
#include "cluster/bench.hpp"
#include "cluster/client_commands.hpp"
#include "cluster/doctor.hpp"
#include "cluster/settings.hpp"

#include <memory>
#include <optional>
#include <ostream>

namespace CLI {
class App;
class ParseError;
}

namespace taskmaster {

class option_sources;

class command_line {
public:
  command_line();
  ~command_line();

  /// The exit code if the process is to end at once (--help, --version, a fault, no command); then what there was to say has been written.
  std::optional<int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);
  CLI::App& app() { return *app_; }

  node_settings node;
  client_request client;
  doctor_options doctor;
  bench_settings bench;

private:
  std::string fault_sentence(const CLI::ParseError& fault) const;

  std::unique_ptr<CLI::App> app_;
  std::shared_ptr<option_sources> sources_;
};

} // namespace taskmaster
