// Prints what recurrences give, for the oracles in run.py: reads lines "ZONE|GAP|OVERLAP|FROM|TO|EXPRESSION" (Unix seconds; GAP skip or
// shift, OVERLAP first or both), answers each with one line of Unix seconds in (FROM, TO], or "error: …". An EXPRESSION
// "RRULE@DTSTART:FREQ=…" is a rule, its DTSTART in Unix seconds.
#include "schema/recurrence.hpp"

#include <iostream>
#include <sstream>

using namespace taskmaster;

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string zone, gap, overlap, from, to, text;
    std::getline(in, zone, '|'), std::getline(in, gap, '|'), std::getline(in, overlap, '|');
    std::getline(in, from, '|'), std::getline(in, to, '|'), std::getline(in, text);
    recurrence_spec spec;
    if (text.starts_with("RRULE@")) {
      const auto colon = text.find(':');
      spec.anchor = timestamp(std::chrono::seconds(std::stoll(text.substr(6, colon - 6))));
      spec.rrule = text.substr(colon + 1);
    } else {
      spec.cron = text;
    }
    spec.timezone = zone;
    spec.gap_shift = gap == "shift";
    spec.overlap_both = overlap == "both";
    const auto r = recurrence::make(spec, "oracle");
    if (!r) {
      std::cout << "error: " << r.failure().message << '\n';
      continue;
    }
    const auto at = [](const std::string& s) { return timestamp(std::chrono::seconds(std::stoll(s))); };
    for (const auto t : instants_between(*r, at(from), at(to), 1'000'000))
      std::cout << std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count() << ' ';
    std::cout << '\n';
  }
}
