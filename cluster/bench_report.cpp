#include "cluster/bench_report.hpp"

#include "cluster/table_output.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <unistd.h>

namespace taskmaster {

bench_report::bench_report(std::size_t figures) : terminal_(::isatty(2) == 1), figures_(figures) {}

bench_report::~bench_report() { clear(); }

void bench_report::clear() {
  if (terminal_) std::cerr << "\r\033[K" << std::flush;
}

void bench_report::begin(const std::string& name, const std::string& doing) {
  clear();
  name_ = name;
  last_.clear();
  ++at_;
  std::cerr << "[" << at_ << "/" << figures_ << "] " << name << ": " << doing << std::endl;
}

void bench_report::step(const std::string& what, double part) {
  if (!terminal_) {
    if (what != last_) std::cerr << "      " << what << std::endl;
    last_ = what;
    return;
  }
  constexpr int width = 24;
  const auto full = static_cast<int>(std::clamp(part, 0.0, 1.0) * width);
  std::cerr << "\r\033[K  [" << std::string(static_cast<std::size_t>(full), '#') << std::string(static_cast<std::size_t>(width - full), '.') << "] " << what
            << std::flush;
}

void bench_report::row(std::string figure, std::string measured, std::string target, std::string reached) {
  lines_.push_back({std::move(figure), std::move(measured), std::move(target), std::move(reached)});
}

void bench_report::print_table(std::ostream& out) const {
  table t({"FIGURE", ">MEASURED", "TARGET", ""});
  for (const auto& l : lines_) t.add({l.figure, l.measured, l.target, l.reached});
  t.print(out);
}

std::string grouped(double value) {
  auto text = std::to_string(static_cast<long long>(std::llround(value)));
  for (auto at = static_cast<int>(text.size()) - 3; at > (text[0] == '-' ? 1 : 0); at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string percent(double part) { return std::to_string(std::lround(part * 100)) + " %"; }

answer_json percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    if (values.empty()) return 0.0;
    const auto place = std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())));
    return std::round(values[place] * 1'000) / 1'000;
  };
  return {{"p50", at(0.5)}, {"p99", at(0.99)}, {"p999", at(0.999)}, {"max", at(1)}};
}

double best(const std::vector<double>& runs) { return runs.empty() ? 0 : *std::max_element(runs.begin(), runs.end()); }

answer_json rounded(const std::vector<double>& runs) {
  auto out = answer_json::array();
  for (const auto r : runs) out.push_back(std::llround(r));
  return out;
}

} // namespace taskmaster
