// When the next batch of outcomes goes to the database. Pure; on the coordinator's thread.
//
// Batches form by themselves while the last one is being committed. Where runs end one by one, as processes do, a batch is one or two outcomes, and
// a statement costs PostgreSQL some 300 us before its first row. So a small batch goes ten milliseconds after the last one began, unless
// that one had no company either (then nobody is there to wait for), or somebody waits for what is in it. The idea is that of PostgreSQL's
// commit_delay and commit_siblings, a statement earlier. What it gains: docs/performance.md. (Tried for submits too: with 64 clients at a time
// twenty share a statement already, and it gains nothing.)
#pragma once
#include "schema/time.hpp"

#include <optional>

namespace taskmaster {

class batch_pace {
public:
  static constexpr std::size_t enough = 64; // rows that share the cost of a statement: more of them gain little
  static constexpr auto apart = std::chrono::milliseconds(10);

  /// When a batch of `rows` may go; nothing: at once.
  std::optional<steady_time> wait_until(steady_time now, std::size_t rows) const {
    if (hurry_ || !company_ || rows >= enough || now >= last_ + apart) return std::nullopt;
    return last_ + apart;
  }

  /// The next batch has something that somebody waits for.
  void hurry() { hurry_ = true; }

  /// A batch of `rows` goes now.
  void went(steady_time now, std::size_t rows) {
    last_ = now;
    company_ = rows > 1;
    hurry_ = false;
  }

private:
  steady_time last_{};
  bool company_ = false, hurry_ = false;
};

} // namespace taskmaster
