// `taskmaster doctor`: looks at database and service, says what is wrong and what to do; changes nothing. Called by main. One thread; blocks.
#pragma once
#include <ostream>
#include <string>

namespace CLI {
class App;
}

namespace taskmaster {

struct doctor_options {
  bool chosen = false;
  std::string database; // libpq URI; else DATABASE_URL, else the PostgreSQL of `up` in `data`
  std::string data;
  std::string server = "127.0.0.1:8081";
  std::string output = "table"; // or json
};

void add_doctor_command(CLI::App& app, doctor_options& chosen);

/// 0: nothing bad; 1: something is; 3: the database cannot be reached.
int run_doctor(const doctor_options& options, std::ostream& out, std::ostream& err);

} // namespace taskmaster
