// Errors as values: a code that programs act on, a sentence that tells a person what to do, and the fields at
// fault. Used everywhere; plain data, safe on any thread. Exceptions of libraries become errors in the file
// that calls the library.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace taskmaster {

enum class ec : std::uint8_t {
  /// The form of a request is wrong: JSON, types, unknown fields, unreadable times.
  invalid_argument = 1,
  /// A body, payload or batch is larger than the limit that the message names.
  too_large,
  /// The form is right but a rule or limit forbids it.
  unprocessable,
  /// No such task, path or worker.
  not_found,
  /// It exists, but its state forbids the request (cancel of a finished task).
  conflict,
  /// A bounded queue is full; the same request may pass later.
  exhausted,
  /// The database or the coordinator cannot be reached; nothing was changed.
  unavailable,
  /// The connection broke after COMMIT was sent: it may or may not have happened. Ask again with the same
  /// key.
  ambiguous,
  /// No answer within the caller's time.
  deadline_exceeded,
  /// Asked of a coordinator that does not lead; the message names the leader where it is known.
  not_leader,
  /// SQLSTATE TM001: this leader's term is over, its write did not happen.
  deposed,
  /// A worker and a coordinator that speak different protocol versions.
  incompatible,
  /// A fault of ours. The message is for the log.
  internal,
};

/// The code's name, as in logs and metrics: "invalid_argument".
std::string_view to_string(ec code);

/// One field's fault. `field` is a JSON pointer ("/run_at"), empty for the whole.
struct field_fault {
  std::string field;
  std::string detail;
  bool operator==(const field_fault&) const = default;
};

struct error {
  ec code = ec::internal;
  std::string message;
  std::vector<field_fault> faults;
  /// When it makes sense to try again (Retry-After); nothing when it makes none or is unknown.
  std::optional<std::chrono::seconds> retry_after;
  /// What an operator needs to know besides, such as the database's own words with its host and user. For the log and for command lines
  /// that talk to the database themselves; never a part of an answer to a client.
  std::string cause;

  error() = default;
  error(ec c, std::string m) : code(c), message(std::move(m)) {}
  error(ec c, std::string m, std::vector<field_fault> f)
      : code(c), message(std::move(m)), faults(std::move(f)) {}
};

/// For the log: "unavailable: the database cannot be reached", with the fields at fault and the cause appended.
std::string to_string(const error& e);

/// A value or an error; the small part of std::expected (C++23) that we use. Default-constructed it is an
/// internal error, because messages between actors have to be default-constructible.
template <class T>
class [[nodiscard]] expected {
public:
  expected() : state_(std::in_place_index<1>, ec::internal, "empty answer") {}
  expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  expected(error e) : state_(std::in_place_index<1>, std::move(e)) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  error& failure() { return std::get<1>(state_); }
  const error& failure() const { return std::get<1>(state_); }

private:
  std::variant<T, error> state_;
};

/// Success that carries nothing.
struct done {
  bool operator==(const done&) const = default;
};

} // namespace taskmaster
