// What the bench says: what it is doing (stderr; a bar when that is a terminal), a table for people, one object of JSON for programs.
// One thread.
#pragma once
#include "cluster/client_answers.hpp"

#include <functional>
#include <string>
#include <vector>

namespace taskmaster {

class bench_report {
public:
  explicit bench_report(std::size_t figures);
  ~bench_report();

  /// The next figure begins: its name, and in a sentence what is done for it.
  void begin(const std::string& name, const std::string& doing);
  /// A step within it, and how much of the step is done (0 to 1).
  void step(const std::string& what, double part = 0);
  /// The bar goes away: something else is to be written.
  void clear();

  /// A line of the table. `target` and `reached` may be empty.
  void row(std::string figure, std::string measured, std::string target = "", std::string reached = "");
  void print_table(std::ostream& out) const;

  answer_json values = answer_json::object();

private:
  struct line {
    std::string figure, measured, target, reached;
  };
  bool terminal_;
  std::size_t figures_, at_ = 0;
  std::string name_, last_;
  std::vector<line> lines_;
};

/// "48,211" of 48211.4.
std::string grouped(double value);
/// "63 %" of 0.634.
std::string percent(double part);
/// {p50, p99, p999, max}, rounded to microseconds of what is given in milliseconds.
answer_json percentiles(std::vector<double> values);
/// The greatest: what disturbs a measurement on a shared machine only ever makes it slower.
double best(const std::vector<double>& runs);
answer_json rounded(const std::vector<double>& runs);

} // namespace taskmaster
